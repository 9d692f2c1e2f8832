/* relay NETNS DEVICE NETNS DEVICE MS: carries packets between two tun devices, each in a network
 * namespace of its own, and keeps each on its way for half of MS milliseconds. Nothing is lost or
 * reordered. It stands for the distance that netem would make on kernels that have it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKETS = 1 << 15, BYTES = 2048, AT_ONCE = 64 };

struct packet {
  int64_t due;
  int length;
  unsigned char bytes[BYTES];
};

/* One direction: packets in the order they came, which is the order they are due. */
struct way {
  int from, to;
  unsigned first, next;
  struct packet *packets;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int open_tun(const char *netns, const char *device) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  int ns = open(netns, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET) < 0) die(netns);
  close(ns);
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) die("/dev/net/tun");
  strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  if (ioctl(tun, TUNSETIFF, &request) < 0) die(device);
  return tun;
}

static void take(struct way *way, int64_t delay) {
  for (int count = 0; count < AT_ONCE && way->next - way->first < PACKETS; count++) {
    struct packet *packet = &way->packets[way->next % PACKETS];
    packet->length = read(way->from, packet->bytes, BYTES);
    if (packet->length <= 0) return;
    packet->due = now() + delay;
    way->next++;
  }
}

static void give(struct way *way) {
  while (way->first != way->next) {
    struct packet *packet = &way->packets[way->first % PACKETS];
    if (packet->due > now()) return;
    /* A device that is down or full has lost it, as a wire would have. */
    if (write(way->to, packet->bytes, packet->length) < 0) (void)0;
    way->first++;
  }
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "relay NETNS DEVICE NETNS DEVICE MS\n");
    return 2;
  }
  int64_t delay = (int64_t)(atof(arguments[5]) * 1e6 / 2);
  int a = open_tun(arguments[1], arguments[2]);
  int b = open_tun(arguments[3], arguments[4]);
  struct way ways[2] = {{.from = a, .to = b}, {.from = b, .to = a}};
  for (int i = 0; i < 2; i++) {
    ways[i].packets = calloc(PACKETS, sizeof(struct packet));
    if (!ways[i].packets) die("calloc");
  }
  /* A late packet looks like a queue, so we do not wait for others on a busy machine. */
  struct sched_param soon = {.sched_priority = 50};
  if (sched_setscheduler(0, SCHED_FIFO, &soon) < 0) perror("relay: no real time");
  prctl(PR_SET_TIMERSLACK, 1000UL);
  for (;;) {
    struct pollfd polled[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    int64_t due = INT64_MAX;
    for (int i = 0; i < 2; i++)
      if (ways[i].first != ways[i].next && ways[i].packets[ways[i].first % PACKETS].due < due)
        due = ways[i].packets[ways[i].first % PACKETS].due;
    int64_t wait = due == INT64_MAX ? 0 : due - now();
    if (wait < 0) wait = 0;
    struct timespec timeout = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
    if (ppoll(polled, 2, due == INT64_MAX ? NULL : &timeout, NULL) < 0) die("ppoll");
    for (int i = 0; i < 2; i++) take(&ways[i], delay);
    for (int i = 0; i < 2; i++) give(&ways[i]);
  }
}
