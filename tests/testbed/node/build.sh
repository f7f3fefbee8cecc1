# Sourced by `kubernetes`: its programs, built from their Go modules, and the two images that a node cannot do without.
VERSION=1.35.4 ETCD=3.6.8 COREDNS=1.12.4
BIN=$CACHE/kubernetes-$VERSION

build() {
  need containerd containerd runc; need iptables iptables; need ip iproute2; need conntrack conntrack; need openssl openssl; need gcc gcc libc6-dev
  [ -x /usr/lib/cni/bridge ] || need no-such-command containernetworking-plugins
  build_kubernetes
  go_build "$BIN/etcd" go.etcd.io/etcd/server/v3 go.etcd.io/etcd/server/v3@v$ETCD
  go_build "$BIN/coredns" github.com/coredns/coredns github.com/coredns/coredns@v$COREDNS
  [ -f "$BIN/pause.tar" ] && [ -f "$BIN/coredns.tar" ] || system_images
}

# Kubernetes is one module, which replaces the modules of its parts in its own go.mod. Replacements count in the main module alone,
# so ours repeats them with the version that each part was published under.
build_kubernetes() {
  local programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)
  [ ! -x "$BIN/${programs[-1]}" ] || return 0
  local work program part; work=$(mktemp -d)
  (cd "$work"
   local theirs; theirs=$(go mod download -json "k8s.io/kubernetes@v$VERSION" | sed -nE 's/.*"GoMod": "(.*)",/\1/p')
   { printf 'module testbed/kubernetes\n\ngo 1.25.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' $VERSION
     for part in $(sed -nE 's#^\s+(k8s\.io/[a-z0-9-]+) v0\.0\.0( .*)?$#\1#p' "$theirs" | sort -u); do echo "  $part => $part v0.${VERSION#1.}"; done
     echo ')'; } >go.mod
   { printf '//go:build tools\n\npackage tools\n\nimport (\n'; printf '  _ "k8s.io/kubernetes/cmd/%s"\n' "${programs[@]}"; echo ')'; } >tools.go
   go mod tidy >tidy.log 2>&1 || { tail -5 tidy.log >&2; exit 1; }
   local stamp=k8s.io/component-base/version minor=${VERSION#*.}
   for program in "${programs[@]}"; do
     CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $stamp.gitVersion=v$VERSION -X $stamp.gitMajor=${VERSION%%.*} -X $stamp.gitMinor=${minor%%.*}" \
       -o "$program" "k8s.io/kubernetes/cmd/$program"
     install -D "$program" "$BIN/$program"
   done)
  rm -rf "$work"
}

# The program that holds a pod's namespaces, and cluster DNS.
system_images() {
  need buildah buildah
  local work; work=$(mktemp -d); cp "$BIN/coredns" "$work"
  gcc -static -Os -x c -o "$work/pause" - <<'C'
#include <signal.h>
#include <unistd.h>
static void stop(int signal) { _exit(signal == 0); }
int main(void) { signal(SIGINT, stop); signal(SIGTERM, stop); for (;;) pause(); }
C
  local program
  for program in pause coredns; do
    echo "building the image of $program" >&2
    printf 'FROM scratch\nCOPY %s /\nENTRYPOINT ["/%s"]\n' $program $program | "$HERE/images" archive localhost/$program:1 "$BIN/$program.tar" -f - "$work" >>"$STATE/images.log" 2>&1 ||
      { tail -5 "$STATE/images.log" >&2; fail "could not build the image of $program"; }
  done
  rm -rf "$work"
}
