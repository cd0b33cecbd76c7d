/**
 * The files of the page, as texts of this program: it may run from a checkout,
 * from a registry or as one file, and reads none of them from a disk.
 *
 * @module
 */

import apiJs from "./page/api.js" with { type: "text" };
import appJs from "./page/app.js" with { type: "text" };
import baseCss from "./page/base.css" with { type: "text" };
import commandViewJs from "./page/command_view.js" with { type: "text" };
import courseViewJs from "./page/course_view.js" with { type: "text" };
import domJs from "./page/dom.js" with { type: "text" };
import driverCss from "./page/driver.css" with { type: "text" };
import driverViewJs from "./page/driver_view.js" with { type: "text" };
import endpointsViewJs from "./page/endpoints_view.js" with { type: "text" };
import exitsViewJs from "./page/exits_view.js" with { type: "text" };
import factListJs from "./page/fact_list.js" with { type: "text" };
import faviconSvg from "./page/favicon.svg" with { type: "text" };
import fieldViewJs from "./page/field_view.js" with { type: "text" };
import followJs from "./page/follow.js" with { type: "text" };
import formJs from "./page/form.js" with { type: "text" };
import formsCss from "./page/forms.css" with { type: "text" };
import frameCss from "./page/frame.css" with { type: "text" };
import frameViewJs from "./page/frame_view.js" with { type: "text" };
import historyJs from "./page/history.js" with { type: "text" };
import iconsJs from "./page/icons.js" with { type: "text" };
import indexHtml from "./page/index.html" with { type: "text" };
import latencyJs from "./page/latency.js" with { type: "text" };
import logViewJs from "./page/log_view.js" with { type: "text" };
import loginViewJs from "./page/login_view.js" with { type: "text" };
import modelJs from "./page/model.js" with { type: "text" };
import navigationViewJs from "./page/navigation_view.js" with { type: "text" };
import overviewCss from "./page/overview.css" with { type: "text" };
import overviewViewJs from "./page/overview_view.js" with { type: "text" };
import plotPathJs from "./page/plot_path.js" with { type: "text" };
import plotViewJs from "./page/plot_view.js" with { type: "text" };
import pollerJs from "./page/poller.js" with { type: "text" };
import readingsJs from "./page/readings.js" with { type: "text" };
import recoveryJs from "./page/recovery.js" with { type: "text" };
import resultListJs from "./page/result_list.js" with { type: "text" };
import routeJs from "./page/route.js" with { type: "text" };
import scaleJs from "./page/scale.js" with { type: "text" };
import sheetJs from "./page/sheet.js" with { type: "text" };
import sparkViewJs from "./page/spark_view.js" with { type: "text" };
import sseJs from "./page/sse.js" with { type: "text" };
import statesJs from "./page/states.js" with { type: "text" };
import summaryViewJs from "./page/summary_view.js" with { type: "text" };
import textJs from "./page/text.js" with { type: "text" };
import themeCss from "./page/theme.css" with { type: "text" };
import timeCursorJs from "./page/time_cursor.js" with { type: "text" };
import valuesViewJs from "./page/values_view.js" with { type: "text" };

/** The page itself. */
export const PAGE: string = indexHtml;

/** What it loads, by name. */
export const PAGE_FILES: Readonly<Record<string, string>> = {
  "api.js": apiJs,
  "app.js": appJs,
  "base.css": baseCss,
  "command_view.js": commandViewJs,
  "course_view.js": courseViewJs,
  "dom.js": domJs,
  "driver.css": driverCss,
  "driver_view.js": driverViewJs,
  "endpoints_view.js": endpointsViewJs,
  "exits_view.js": exitsViewJs,
  "fact_list.js": factListJs,
  "favicon.svg": faviconSvg,
  "field_view.js": fieldViewJs,
  "follow.js": followJs,
  "form.js": formJs,
  "forms.css": formsCss,
  "frame.css": frameCss,
  "frame_view.js": frameViewJs,
  "history.js": historyJs,
  "icons.js": iconsJs,
  "latency.js": latencyJs,
  "log_view.js": logViewJs,
  "login_view.js": loginViewJs,
  "model.js": modelJs,
  "navigation_view.js": navigationViewJs,
  "overview.css": overviewCss,
  "overview_view.js": overviewViewJs,
  "plot_path.js": plotPathJs,
  "plot_view.js": plotViewJs,
  "poller.js": pollerJs,
  "readings.js": readingsJs,
  "recovery.js": recoveryJs,
  "result_list.js": resultListJs,
  "route.js": routeJs,
  "scale.js": scaleJs,
  "sheet.js": sheetJs,
  "spark_view.js": sparkViewJs,
  "sse.js": sseJs,
  "states.js": statesJs,
  "summary_view.js": summaryViewJs,
  "text.js": textJs,
  "theme.css": themeCss,
  "time_cursor.js": timeCursorJs,
  "values_view.js": valuesViewJs,
};
