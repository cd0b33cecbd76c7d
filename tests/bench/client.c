/*
 * The measure of all others: a C program on libusb's asynchronous API.
 *
 *   client CASE...
 * CASE: mode,a,b,endpoint,bytes,depth,count,latency (see fake_usbfs.c for mode, a, b).
 * Endpoint 128 is control: the device's request 3.
 * One JSON line per case: wallNs, cpuNs, bad (wrong data), p50Ns, p99Ns.
 */
#include <libusb-1.0/libusb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_DEPTH 64
#define ISO_PACKETS 8

static struct { long mode, a, b, endpoint, bytes, depth, count, latency; } c;
static libusb_context *context;
static libusb_device_handle *handle;
static long submitted, completed, bad, retired;
static uint32_t expected;
static uint64_t *latencies, started_ns[MAX_DEPTH];
static int is_done;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Of this process without the fake device's helper thread. */
static uint64_t cpu_ns(void) {
  struct rusage use;
  uint64_t helper[2] = {0, 0};
  getrusage(RUSAGE_SELF, &use);
  libusb_control_transfer(handle, 0xc0, 2, 0, 0, (unsigned char *)helper, 16, 1000);
  return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000ULL +
         (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000ULL - helper[0];
}

static int by_size(const void *x, const void *y) {
  uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
  return a < b ? -1 : a > b;
}

static void check(const unsigned char *data, uint64_t from_ns) {
  if (c.endpoint & 0x80) {
    uint32_t sequence;
    memcpy(&sequence, data, 4);
    if (sequence != expected++) bad++;
  }
  if (c.latency) {
    if (c.mode) memcpy(&from_ns, data + 8, 8);
    latencies[completed] = now_ns() - from_ns;
  }
  completed++;
}

static void submit(struct libusb_transfer *t) {
  submitted++;
  if (c.latency) started_ns[(intptr_t)t->user_data] = now_ns();
  if (libusb_submit_transfer(t)) bad++, is_done = 1;
}

static void on_done(struct libusb_transfer *t) {
  int is_iso = t->type == LIBUSB_TRANSFER_TYPE_ISOCHRONOUS;
  if (t->status != LIBUSB_TRANSFER_COMPLETED || (!is_iso && t->actual_length != c.bytes)) bad++;
  unsigned char *data = t->buffer;
  if (t->type == LIBUSB_TRANSFER_TYPE_CONTROL) data += LIBUSB_CONTROL_SETUP_SIZE;
  check(data, started_ns[(intptr_t)t->user_data]);
  if (submitted < c.count) submit(t);
  else if (++retired == c.depth) is_done = 1;
}

static struct libusb_transfer *make(int index) {
  int number = c.endpoint & 0x7f;
  int packets = number == 3 ? ISO_PACKETS : 0;
  struct libusb_transfer *t = libusb_alloc_transfer(packets);
  unsigned char *buffer = malloc(LIBUSB_CONTROL_SETUP_SIZE + c.bytes);
  memset(buffer, 1, c.bytes);
  libusb_fill_bulk_transfer(t, handle, c.endpoint, buffer, c.bytes, on_done,
                            (void *)(intptr_t)index, 0);
  if (number == 0) {
    libusb_fill_control_setup(buffer, 0xc0, 3, 0, 0, c.bytes);
    libusb_fill_control_transfer(t, handle, buffer, on_done, (void *)(intptr_t)index, 0);
  }
  if (number == 1) t->type = LIBUSB_TRANSFER_TYPE_INTERRUPT;
  if (packets) {
    t->type = LIBUSB_TRANSFER_TYPE_ISOCHRONOUS;
    t->num_iso_packets = packets;
    libusb_set_iso_packet_lengths(t, c.bytes / packets);
  }
  return t;
}

static void run(const char *text) {
  struct libusb_transfer *transfers[MAX_DEPTH];
  uint64_t model[3] = {c.mode, c.a, c.b};
  libusb_control_transfer(handle, 0x40, 1, 0, 0, (unsigned char *)model, 24, 1000);
  latencies = calloc(c.count, sizeof *latencies);
  submitted = completed = bad = retired = is_done = 0;
  expected = 0;
  for (int i = 0; i < c.depth; i++) transfers[i] = make(i);
  uint64_t cpu = cpu_ns(), wall = now_ns();
  for (int i = 0; i < c.depth; i++) submit(transfers[i]);
  while (!is_done) libusb_handle_events_completed(context, &is_done);
  wall = now_ns() - wall, cpu = cpu_ns() - cpu;
  qsort(latencies, completed, sizeof *latencies, by_size);
  printf("{\"case\":\"%s\",\"count\":%ld,\"wallNs\":%lu,\"cpuNs\":%lu,\"bad\":%ld,"
         "\"p50Ns\":%lu,\"p99Ns\":%lu}\n",
         text, completed, wall, cpu, bad, latencies[completed / 2],
         latencies[completed * 99 / 100]);
  fflush(stdout);
  for (int i = 0; i < c.depth; i++) {
    free(transfers[i]->buffer);
    libusb_free_transfer(transfers[i]);
  }
  free(latencies);
}

int main(int argc, char **argv) {
  if (libusb_init(&context)) return 1;
  handle = libusb_open_device_with_vid_pid(context, 0x1209, 1);
  if (!handle || libusb_claim_interface(handle, 0)) {
    fprintf(stderr, "client: no device\n");
    return 1;
  }
  for (int i = 1; i < argc; i++) {
    int n = sscanf(argv[i], "%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld", &c.mode, &c.a, &c.b, &c.endpoint,
                   &c.bytes, &c.depth, &c.count, &c.latency);
    if (n != 8 || c.depth < 1 || c.depth > MAX_DEPTH || c.count < c.depth) {
      fprintf(stderr, "client: bad case %s\n", argv[i]);
      return 2;
    }
    run(argv[i]);
  }
  libusb_release_interface(handle, 0);
  libusb_close(handle);
  libusb_exit(context);
  return 0;
}
