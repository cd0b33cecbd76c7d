/**
 * Time stamps without the runtime's dates, which load the time zones of the
 * machine when the first one is made: longer than all else of a log line.
 *
 * @module
 */

const DAY_MS = 86_400_000;
const DAYS_IN_ERA = 146_097;
/** Days from 1 March of the year 0 to 1970. */
const DAYS_TO_1970 = 719_468;

/** Milliseconds since 1970 as RFC 3339, UTC, with milliseconds. For the years 0 to 9999. */
export function rfc3339(wallMs: number): string {
  const ms = Math.floor(wallMs);
  const days = Math.floor(ms / DAY_MS);
  const inDay = ms - days * DAY_MS;
  const second = Math.floor(inDay / 1000);
  const time = [Math.floor(second / 3600), Math.floor(second / 60) % 60];
  const clock = [...time, second % 60].map((part) => digits(part, 2)).join(":");
  return `${date(days)}T${clock}.${digits(inDay % 1000, 3)}Z`;
}

/**
 * The date of a day since 1970. Years begin in March here, so that the day that
 * leap years have more is their last one; eras are 400 years, all alike.
 */
function date(days: number): string {
  const shifted = days + DAYS_TO_1970;
  const era = Math.floor(shifted / DAYS_IN_ERA);
  const dayOfEra = shifted - era * DAYS_IN_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - 365 * yearOfEra - Math.floor(yearOfEra / 4) +
    Math.floor(yearOfEra / 100);
  // Months from March on have 31, 30, 31, 30, 31 days, twice, and so on: 153 in five.
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = 400 * era + yearOfEra + (month <= 2 ? 1 : 0);
  return [digits(year, 4), digits(month, 2), digits(day, 2)].join("-");
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
