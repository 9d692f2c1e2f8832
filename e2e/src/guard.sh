# guard.sh ROOT PEERS: reads until end of file, which comes when the test process is gone, however
# it went; then ends what it left. ROOT is its folder, PEERS that of the peers' scripts.
#
# A process is the test's own if the environment it began with has its home below ROOT.
trap '' HUP INT TERM
read -r _
grep -lszF "HOME=$1/" /proc/[0-9]*/environ | while read -r environ; do
  pid=${environ#/proc/}
  kill -KILL "${pid%/environ}" 2>/dev/null
done
if [ -d "$1/peers" ]; then "$2/stop" --rm "$1/peers"; fi
grep -F " $1/" /proc/self/mounts | cut -d ' ' -f 2 | sort -r | while read -r mounted; do umount -l "$mounted"; done
rm -rf "$1"
