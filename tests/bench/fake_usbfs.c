/*
 * A usbfs node inside the measured process, so that only software is measured:
 * no kernel, no bus, no device. Preloaded by `deno task bench`, used by nothing
 * else.
 *
 *   cc -O2 -shared -fPIC -o fake_usbfs.so fake_usbfs.c -lpthread
 *
 * open("/dev/bus/usb/001/002") gives an eventfd. usbfs says "something can be
 * reaped" by POLLOUT; an eventfd is POLLOUT unless its counter is full. So a
 * full counter means nothing to reap, and poll() works unmodified.
 *
 * ioctl() is caught at the PLT, which reaches libusb and whatever calls libc.
 * With FAKE_USBFS_TRAP=1 a seccomp filter traps raw system calls instead (nusb,
 * in npm usb 3). That costs a signal per call: compare only runs of one mode.
 *
 * With FAKE_USBFS_DESCRIPTOR=N the node is open from the start, as descriptor N:
 * what a launcher hands to a driver that may open nothing.
 *
 * Device model, set by vendor OUT request 1 with three u64 (mode, a, b), which
 * also starts every endpoint's sequence at 0:
 *   0  an URB completes inside SUBMITURB
 *   1  each URB completes a ns after its submission
 *   2  a bus: each URB occupies it for a + b ns per KiB
 *   3  at most one URB per tick of a ns (an interrupt endpoint)
 *   4  as 0, and SUBMITURB and REAPURB ask the kernel each, as usbfs's do: the
 *      same ioctl on our eventfd, which it refuses. A seccomp filter sees it.
 *   5  an URB completes when the next look begins: what is submitted while others
 *      are reaped is there after the next poll(), not before it
 * Vendor IN request 2 gives u64: CPU ns of the helper thread, URBs completed.
 * Vendor IN request 3 gives IN data, whatever the model: control transfers.
 * IN data: u32 sequence of the endpoint, u32 0, u64 CLOCK_MONOTONIC ns of the
 * completion, then a pattern.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define NODE "/dev/bus/usb/001/002"
#define COUNTER_FULL 0xfffffffffffffffeULL
#define AS_USBFS 4
#define NEXT_LOOK 5
#define MAX_DEVICES 72
#define MAX_FDS 4096
#define MAX_MAPS 256
#define RING 4096 /* URBs in flight per open file */
#define MAX_URB_BYTES (4 << 20)
#define OUR_OPEN_MARK 0x5553426661UL /* sixth argument of our own openat */

/* Keep in step with the octal bytes of with_fake.sh. */
static const uint8_t descriptors[] = {
    18, 1, 0x00, 0x03, 0xff, 0, 0, 9, 0x09, 0x12, 0x01, 0x00, 0x00, 0x01, 1, 2, 3, 1,
    9, 2, 9 + 9 + 6 * 7, 0, 1, 1, 0, 0x80, 50,
    9, 4, 0, 0, 6, 0xff, 0, 0, 0,
    7, 5, 0x81, 3, 64, 0, 1,  /* interrupt IN */
    7, 5, 0x82, 2, 0, 2, 0,   /* bulk IN */
    7, 5, 0x02, 2, 0, 2, 0,   /* bulk OUT */
    7, 5, 0x01, 3, 64, 0, 1,  /* interrupt OUT */
    7, 5, 0x83, 1, 0, 2, 1,   /* isochronous IN */
    7, 5, 0x03, 1, 0, 2, 1,   /* isochronous OUT */
};

struct entry {
  struct usbdevfs_urb *urb;
  uint64_t due_ns, done_ns;
  uint32_t sequence;
};

struct device {
  int fd;
  off_t position;
  struct entry pending[RING]; /* in order of their due time */
  unsigned pending_head, pending_tail;
  struct entry done[RING];
  unsigned done_head, done_tail;
  int is_ready;    /* POLLOUT */
  int is_look_over; /* the last reap found nothing */
  uint32_t sequence[256]; /* by endpoint address */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct device *devices[MAX_DEVICES];
static volatile uint8_t is_ours[MAX_FDS];
static uint64_t mode, config_a, config_b, bus_free_at_ns, completed;
static uint32_t control_sequence;
static int timer = -1;
static int is_trapping;
static pthread_t helper;
static uint8_t *source, *sink;
static struct { uintptr_t low, high; } maps[MAX_MAPS];

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static struct device *find(int fd) {
  for (int i = 0; i < MAX_DEVICES; i++)
    if (devices[i] && devices[i]->fd == fd) return devices[i];
  return NULL;
}

static int ours(int fd) { return fd >= 0 && fd < MAX_FDS && is_ours[fd]; }

/* Memory given out by our mmap is shared with the "controller": never copied. */
static int is_mapped(const void *p) {
  for (int i = 0; i < MAX_MAPS && maps[i].high; i++)
    if ((uintptr_t)p >= maps[i].low && (uintptr_t)p < maps[i].high) return 1;
  return 0;
}

static void arm(uint64_t due_ns) {
  struct itimerspec at = {{0, 0}, {due_ns / 1000000000ULL, due_ns % 1000000000ULL}};
  syscall(SYS_timerfd_settime, timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static int is_immediate(void) { return mode == 0 || mode == AS_USBFS; }

/* With the lock held: says whether there is something to reap. */
static void tell(struct device *d, int is_ready) {
  uint64_t counter = COUNTER_FULL;
  if (d->is_ready == is_ready) return;
  d->is_ready = is_ready;
  if (is_ready) syscall(SYS_read, d->fd, &counter, 8); /* back to 0: POLLOUT */
  else syscall(SYS_write, d->fd, &counter, 8);
}

/* With the lock held. */
static void complete(struct device *d, struct entry e, int status, int actual) {
  e.urb->status = status;
  e.urb->actual_length = actual;
  e.done_ns = now_ns();
  e.sequence = d->sequence[e.urb->endpoint]++;
  if (e.urb->type == USBDEVFS_URB_TYPE_ISO)
    for (int i = 0; i < e.urb->number_of_packets; i++) {
      e.urb->iso_frame_desc[i].status = 0;
      e.urb->iso_frame_desc[i].actual_length = e.urb->iso_frame_desc[i].length;
    }
  d->done[d->done_tail++ % RING] = e;
  completed++;
  tell(d, 1);
}

/* With the lock held. */
static void complete_due(struct device *d, uint64_t now) {
  while (d->pending_head != d->pending_tail && d->pending[d->pending_head % RING].due_ns <= now) {
    struct entry e = d->pending[d->pending_head++ % RING];
    if (e.urb) complete(d, e, 0, e.urb->buffer_length);
  }
}

/* With the lock held: when the first URB completes that is not due now; 0 when none is left. */
static uint64_t next_due_ns(uint64_t now) {
  uint64_t next = 0;
  for (int i = 0; i < MAX_DEVICES; i++) {
    struct device *d = devices[i];
    if (!d) continue;
    unsigned n = d->pending_head;
    while (n != d->pending_tail && d->pending[n % RING].due_ns <= now) n++;
    if (n == d->pending_tail) continue;
    uint64_t due = d->pending[n % RING].due_ns;
    if (!next || due < next) next = due;
  }
  return next;
}

static void *run_helper(void *unused) {
  (void)unused;
  for (uint64_t ticks;;) {
    if (syscall(SYS_read, timer, &ticks, 8) != 8) continue;
    pthread_mutex_lock(&lock);
    uint64_t now = now_ns(), next = next_due_ns(now);
    /* Before anything is stamped as complete: it takes long, and nobody can reap meanwhile. */
    if (next) arm(next);
    for (int i = 0; i < MAX_DEVICES; i++)
      if (devices[i]) complete_due(devices[i], now);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static void start_helper(void) {
  if (timer >= 0) return;
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  pthread_create(&helper, NULL, run_helper, NULL);
}

static uint64_t helper_cpu_ns(void) {
  clockid_t clock;
  struct timespec t;
  if (timer < 0 || pthread_getcpuclockid(helper, &clock) || clock_gettime(clock, &t)) return 0;
  return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static int give(uint8_t *to, int length, const void *from, int size) {
  int n = length < size ? length : size;
  memcpy(to, from, n);
  return n;
}

/* Answers a control request: bytes moved, or -errno. */
static int control(struct device *d, const uint8_t *setup, uint8_t *data, int length) {
  static const uint8_t languages[] = {4, 3, 9, 4};
  static const uint8_t text[] = {10, 3, 'F', 0, 'a', 0, 'k', 0, 'e', 0};
  int type = setup[0], request = setup[1], index = setup[2], kind = setup[3];
  if (type == 0x40 && request == 1 && length >= 24) {
    uint64_t values[3];
    memcpy(values, data, 24);
    mode = values[0], config_a = values[1], config_b = values[2], bus_free_at_ns = 0;
    memset(d->sequence, 0, sizeof d->sequence); /* a new case begins */
    control_sequence = 0;
    if (!is_immediate() && mode != NEXT_LOOK) start_helper();
    return length;
  }
  if (type == 0xc0 && request == 2) {
    uint64_t values[2] = {helper_cpu_ns(), completed};
    return give(data, length, values, 16);
  }
  if (type == 0xc0 && request == 3) {
    uint64_t head[2] = {control_sequence++, now_ns()};
    memcpy(data, source, length);
    return give(data, length, head, sizeof head), length;
  }
  if (type == 0x80 && request == 8) return give(data, length, "\1", 1);
  if (type == 0x80 && request == 6 && kind == 1) return give(data, length, descriptors, 18);
  if (type == 0x80 && request == 6 && kind == 2)
    return give(data, length, descriptors + 18, sizeof descriptors - 18);
  if (type == 0x80 && request == 6 && kind == 3)
    return index ? give(data, length, text, 10) : give(data, length, languages, 4);
  return type & 0x80 ? 0 : length;
}

static void schedule(struct device *d, struct entry e) {
  uint64_t now = now_ns(), from = now > bus_free_at_ns ? now : bus_free_at_ns;
  if (mode == 1) e.due_ns = now + config_a;
  if (mode == 2)
    e.due_ns = bus_free_at_ns = from + config_a + config_b * e.urb->buffer_length / 1024;
  if (mode == 3) e.due_ns = bus_free_at_ns = (from / config_a + 1) * config_a;
  while (d->pending_head != d->pending_tail && !d->pending[d->pending_head % RING].urb)
    d->pending_head++; /* discarded, and no timer waits for it */
  int is_first = d->pending_head == d->pending_tail;
  d->pending[d->pending_tail++ % RING] = e;
  if (mode == NEXT_LOOK) tell(d, 1);
  else if (is_first) arm(e.due_ns);
}

static int submit(struct device *d, struct usbdevfs_urb *urb) {
  pthread_mutex_lock(&lock);
  unsigned in_flight = d->pending_tail - d->pending_head + d->done_tail - d->done_head;
  if (in_flight >= RING - 1 || urb->buffer_length > MAX_URB_BYTES) {
    pthread_mutex_unlock(&lock);
    errno = ENOMEM;
    return -1;
  }
  struct entry e = {urb, 0, 0, 0};
  if (urb->type == USBDEVFS_URB_TYPE_CONTROL) {
    uint8_t *setup = urb->buffer;
    int result = control(d, setup, setup + 8, setup[6] | setup[7] << 8);
    complete(d, e, result < 0 ? result : 0, result < 0 ? 0 : result);
  } else {
    /* The kernel copies OUT data at submission. */
    if (!(urb->endpoint & 0x80) && !is_mapped(urb->buffer))
      memcpy(sink, urb->buffer, urb->buffer_length);
    if (is_immediate()) complete(d, e, 0, urb->buffer_length);
    else schedule(d, e);
  }
  pthread_mutex_unlock(&lock);
  return 0;
}

/*
 * With the lock held, and nothing to reap: at the beginning of a look comes what
 * was submitted before it, later the look is over. Being ready costs a real usbfs
 * no system call: so we stay ready until somebody looked in vain.
 */
static void take_submitted(struct device *d) {
  int begins = d->is_look_over;
  d->is_look_over = 1;
  if (!begins) return;
  complete_due(d, 0);
  if (d->done_head == d->done_tail) tell(d, 0);
}

static int reap(struct device *d, void **out) {
  pthread_mutex_lock(&lock);
  if (mode == NEXT_LOOK && d->done_head == d->done_tail) take_submitted(d);
  if (d->done_head == d->done_tail) {
    pthread_mutex_unlock(&lock);
    errno = EAGAIN;
    return -1;
  }
  struct entry e = d->done[d->done_head++ % RING];
  if (mode != NEXT_LOOK && d->done_head == d->done_tail) tell(d, 0);
  d->is_look_over = 0;
  pthread_mutex_unlock(&lock);
  struct usbdevfs_urb *urb = e.urb;
  int is_in = (urb->endpoint & 0x80) && urb->type != USBDEVFS_URB_TYPE_CONTROL;
  if (is_in && urb->actual_length > 0) {
    /* The kernel copies IN data when the URB is reaped. */
    if (!is_mapped(urb->buffer)) memcpy(urb->buffer, source, urb->actual_length);
    if (urb->actual_length >= 16) {
      uint32_t head[2] = {e.sequence, 0};
      memcpy(urb->buffer, head, 8);
      memcpy((uint8_t *)urb->buffer + 8, &e.done_ns, 8);
    }
  }
  *out = urb;
  return 0;
}

static int discard(struct device *d, void *urb) {
  pthread_mutex_lock(&lock);
  for (unsigned i = d->pending_head; i != d->pending_tail; i++) {
    struct entry *e = &d->pending[i % RING];
    if (e->urb != urb) continue;
    complete(d, *e, -ENOENT, 0);
    d->sequence[e->urb->endpoint]--; /* it carried no data */
    e->urb = NULL;
    pthread_mutex_unlock(&lock);
    return 0;
  }
  pthread_mutex_unlock(&lock);
  errno = EINVAL;
  return -1;
}

static int reap_waiting(struct device *d, void **out) {
  while (reap(d, out)) {
    struct pollfd p = {d->fd, POLLOUT, 0};
    poll(&p, 1, -1);
  }
  return 0;
}

static int usbfs_ioctl(int fd, unsigned long request, void *argument) {
  struct device *d = find(fd);
  if (!d) {
    errno = ENODEV;
    return -1;
  }
  int is_transfer = (request & 0xff) == 10 || (request & 0xff) == 13;
  /* Under the trap another ioctl would come back here. */
  if (mode == AS_USBFS && is_transfer) {
    if (is_trapping) syscall(SYS_getppid);
    else syscall(SYS_ioctl, fd, request, argument);
  }
  switch (request & 0xff) {
    case 10: return submit(d, argument);
    case 11: return discard(d, argument);
    case 12: return reap_waiting(d, argument);
    case 13: return reap(d, argument);
    case 0: {
      struct usbdevfs_ctrltransfer *c = argument;
      uint8_t setup[4] = {c->bRequestType, c->bRequest, c->wValue & 255, c->wValue >> 8};
      return control(d, setup, c->data, c->wLength);
    }
    case 8: errno = ENODATA; return -1; /* GETDRIVER: none */
    case 17: {
      struct usbdevfs_connectinfo *c = argument;
      c->devnum = 2, c->slow = 0;
      return 0;
    }
    case 26:
      *(uint32_t *)argument = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                              USBDEVFS_CAP_BULK_SCATTER_GATHER |
                              USBDEVFS_CAP_REAP_AFTER_DISCONNECT | USBDEVFS_CAP_MMAP;
      return 0;
    case 31: return 5; /* GET_SPEED: super */
    case 4: case 5: case 15: case 16: case 18: case 20: case 21: case 27: case 30: return 0;
  }
  errno = ENOTTY;
  return -1;
}

static int open_node(int lowest) {
  int first = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int fd = lowest ? fcntl(first, F_DUPFD_CLOEXEC, lowest) : first;
  uint64_t full = COUNTER_FULL;
  if (fd != first) syscall(SYS_close, first);
  if (fd < 0 || fd >= MAX_FDS) return -1;
  syscall(SYS_write, fd, &full, 8);
  if (!source) {
    source = malloc(MAX_URB_BYTES), sink = calloc(1, MAX_URB_BYTES);
    for (int i = 0; i < MAX_URB_BYTES; i++) source[i] = i * 7;
  }
  struct device *d = calloc(1, sizeof *d);
  d->fd = fd;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MAX_DEVICES; i++) {
    if (devices[i]) continue;
    devices[i] = d, is_ours[fd] = 1;
    break;
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

/* ---- libc's functions, in front of libc's ---------------------------------- */

static int open_any(int at, const char *path, int flags, mode_t m) {
  if (path && !strcmp(path, NODE)) return open_node(0);
  return syscall(SYS_openat, at, path, flags, m, 0, OUR_OPEN_MARK);
}

#define MODE_ARGUMENT(flags)                  \
  mode_t m = 0;                               \
  if ((flags) & (O_CREAT | O_TMPFILE)) {      \
    va_list list;                             \
    va_start(list, flags);                    \
    m = va_arg(list, mode_t);                 \
    va_end(list);                             \
  }

int open(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_any(AT_FDCWD, path, flags, m);
}
int open64(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_any(AT_FDCWD, path, flags | O_LARGEFILE, m);
}
/* What _FORTIFY_SOURCE calls. */
int __open_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) {
  return open_any(AT_FDCWD, path, flags | O_LARGEFILE, 0);
}

int ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void *argument = va_arg(list, void *);
  va_end(list);
  if (ours(fd) && !is_trapping) return usbfs_ioctl(fd, request, argument);
  return syscall(SYS_ioctl, fd, request, argument);
}

ssize_t read(int fd, void *to, size_t count) {
  if (!ours(fd)) return syscall(SYS_read, fd, to, count);
  struct device *d = find(fd);
  size_t size = sizeof descriptors, at = d->position;
  size_t left = at < size ? size - at : 0;
  if (count > left) count = left;
  memcpy(to, descriptors + at, count);
  d->position += count;
  return count;
}

off_t lseek(int fd, off_t offset, int whence) {
  if (!ours(fd)) return syscall(SYS_lseek, fd, offset, whence);
  struct device *d = find(fd);
  d->position = whence == SEEK_CUR ? d->position + offset : offset;
  return d->position;
}
off64_t lseek64(int fd, off64_t offset, int whence) { return lseek(fd, offset, whence); }

int close(int fd) {
  if (ours(fd)) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_DEVICES; i++) {
      if (!devices[i] || devices[i]->fd != fd) continue;
      free(devices[i]);
      devices[i] = NULL;
    }
    is_ours[fd] = 0;
    pthread_mutex_unlock(&lock);
  }
  return syscall(SYS_close, fd);
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset) {
  if (!ours(fd)) return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
  flags = MAP_PRIVATE | MAP_ANONYMOUS;
  void *p = (void *)syscall(SYS_mmap, at, size, protection, flags, -1, 0);
  for (int i = 0; i < MAX_MAPS; i++) {
    if (maps[i].high) continue;
    maps[i].low = (uintptr_t)p, maps[i].high = (uintptr_t)p + size;
    break;
  }
  return p;
}
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  return mmap64(at, size, protection, flags, fd, offset);
}

/* ---- libudev, showing exactly one device ------------------------------------ */

#define HANDLE ((void *)8)
void *udev_new(void) { return HANDLE; }
void *udev_unref(void *u) { return (void)u, NULL; }
void *udev_monitor_new_from_netlink(void *u, const char *n) { return (void)u, (void)n, HANDLE; }
int udev_monitor_filter_add_match_subsystem_devtype(void *m, const char *a, const char *b) {
  return (void)m, (void)a, (void)b, 0;
}
int udev_monitor_enable_receiving(void *m) { return (void)m, 0; }
int udev_monitor_get_fd(void *m) {
  static int fd = -1;
  (void)m;
  if (fd < 0) fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd;
}
void *udev_monitor_receive_device(void *m) { return (void)m, NULL; }
void *udev_monitor_unref(void *m) { return (void)m, NULL; }
void *udev_enumerate_new(void *u) { return (void)u, HANDLE; }
int udev_enumerate_add_match_subsystem(void *e, const char *s) { return (void)e, (void)s, 0; }
int udev_enumerate_add_match_property(void *e, const char *a, const char *b) {
  return (void)e, (void)a, (void)b, 0;
}
int udev_enumerate_scan_devices(void *e) { return (void)e, 0; }
void *udev_enumerate_get_list_entry(void *e) { return (void)e, HANDLE; }
void *udev_enumerate_unref(void *e) { return (void)e, NULL; }
void *udev_list_entry_get_next(void *e) { return (void)e, NULL; }
const char *udev_list_entry_get_name(void *e) { return (void)e, "/sys/bus/usb/devices/1-1"; }
void *udev_device_new_from_syspath(void *u, const char *p) { return (void)u, (void)p, HANDLE; }
const char *udev_device_get_devnode(void *d) { return (void)d, NODE; }
const char *udev_device_get_sysname(void *d) { return (void)d, "1-1"; }
const char *udev_device_get_action(void *d) { return (void)d, NULL; }
void *udev_device_unref(void *d) { return (void)d, NULL; }

/* ---- raw system calls, x86-64 ------------------------------------------------ */

#ifdef __x86_64__
static void on_sigsys(int signal, siginfo_t *info, void *context) {
  (void)signal;
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  int saved = errno;
  long result = -1;
  errno = ENOTTY;
  if (info->si_syscall == SYS_ioctl) {
    if (ours((int)r[REG_RDI]))
      result = usbfs_ioctl((int)r[REG_RDI], r[REG_RSI], (void *)r[REG_RDX]);
  } else if (info->si_syscall == SYS_open) {
    result = open_any(AT_FDCWD, (const char *)r[REG_RDI], (int)r[REG_RSI], (mode_t)r[REG_RDX]);
  } else {
    result = open_any((int)r[REG_RDI], (const char *)r[REG_RSI], (int)r[REG_RDX],
                      (mode_t)r[REG_R10]);
  }
  r[REG_RAX] = result < 0 ? -errno : result;
  errno = saved;
}

static void install_trap(void) {
  struct sigaction action = {0};
  action.sa_sigaction = on_sigsys;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaction(SIGSYS, &action, NULL);
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff00),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5500, 5, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)OUR_OPEN_MARK, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    perror("fake_usbfs: seccomp");
}

__attribute__((constructor)) static void start_trapping(void) {
  const char *wanted = getenv("FAKE_USBFS_TRAP");
  is_trapping = wanted && *wanted == '1';
  if (is_trapping) install_trap();
}
#endif

__attribute__((constructor)) static void take_descriptor(void) {
  const char *wanted = getenv("FAKE_USBFS_DESCRIPTOR");
  int number = wanted ? atoi(wanted) : 0;
  if (number <= 0) return;
  syscall(SYS_close, number);
  if (open_node(number) != number) _exit(70);
}
