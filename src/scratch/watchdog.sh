# Waits for the owner's last word on standard input. End of file without one means that the owner has vanished:
# then ends what runs in the directory, removes the container, and removes the directory.
# Arguments: directory, container or nothing.
trap '' HUP INT QUIT TERM
dir=$1 container=$2

# Whether process $1 is alive and works in the directory. A number that was reused does not name it.
belongs() {
  if [ -e /proc/self/cmdline ]; then
    tr '\000' ' ' <"/proc/$1/cmdline"
  else
    ps -ww -o args= -p "$1"
  fi 2>/dev/null | grep -qF -- "$dir/"
}

running() {
  pid=
  read -r pid 2>/dev/null <"$dir/server.pid"
  [ -n "$pid" ] && belongs "$pid"
}

word=
while IFS= read -r line; do word=$line; done
case $word in
  release) exit 0 ;;
  keep) while running; do sleep 2; done ;;
esac

attempt=0
while [ -d "$dir" ] && [ "$attempt" -lt 50 ]; do
  attempt=$((attempt + 1))
  if running; then
    kill -s QUIT -- "-$pid"
    tick=0
    while [ "$tick" -lt 100 ] && belongs "$pid"; do
      tick=$((tick + 1))
      sleep 0.1
    done
    belongs "$pid" && kill -s KILL -- "-$pid"
  fi
  # The daemon may be about to create what a client that is gone now asked for: hence the second look.
  if [ -n "$container" ]; then
    docker rm --force --volumes "$container"
    sleep 1
    docker rm --force --volumes "$container"
  fi
  rm -rf -- "$dir" || sleep 0.1
done
