# Sourced by `kubernetes`: starts and ends the programs of a node.

node_runs() { local program; for program in etcd apiserver manager scheduler containerd kubelet proxy; do running $program || return 1; done; }

start_node() {
  mkdir -p "$DIR"
  start_network; credentials; settings; make_cgroup
  control_plane; node_programs
  inside kubectl apply -f "$HERE/node/dns.yaml" -f "$DIR/volumes.yaml" >/dev/null
  ready 60 kubelet kubectl wait --for condition=Ready node/node0 --timeout 2s
  ready 90 kubelet kubectl -n kube-system rollout status deploy/coredns --timeout 2s
}

control_plane() {
  local pki=$DIR/pki etcd=http://127.0.0.1:2379 peers=http://127.0.0.1:2380
  launch etcd etcd --data-dir "$DIR/etcd" --listen-client-urls $etcd --advertise-client-urls $etcd --listen-peer-urls $peers --unsafe-no-fsync --log-level warn
  launch apiserver kube-apiserver --etcd-servers $etcd --advertise-address $NODE_IP --service-cluster-ip-range $SERVICES \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged \
    --client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --kubelet-client-certificate "$pki/admin.crt" --kubelet-client-key "$pki/admin.key" \
    --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$pki/tokens.pub" \
    --service-account-signing-key-file "$pki/tokens.key" --audit-policy-file "$DIR/audit.yaml" --audit-log-path "$TESTBED_AUDIT_LOG"
  ready 60 apiserver kubectl get --raw /readyz
  launch manager kube-controller-manager --kubeconfig "$DIR/manager.kubeconfig" --leader-elect=false --kube-api-qps 200 --kube-api-burst 400 \
    --use-service-account-credentials --service-account-private-key-file "$pki/tokens.key" --root-ca-file "$pki/ca.crt"
  launch scheduler kube-scheduler --kubeconfig "$DIR/scheduler.kubeconfig" --leader-elect=false
}

node_programs() {
  launch containerd containerd --config "$DIR/containerd.toml"
  ready 20 containerd ctr -a "$DIR/containerd.sock" version
  import "$BIN/pause.tar"; import "$BIN/coredns.tar"
  launch kubelet kubelet --config "$DIR/kubelet.yaml" --kubeconfig "$DIR/kubelet.kubeconfig" --hostname-override node0 --node-ip $NODE_IP --root-dir "$DIR/kubelet"
  launch proxy kube-proxy --kubeconfig "$DIR/proxy.kubeconfig" --hostname-override node0 --proxy-mode iptables --cluster-cidr $PODS --conntrack-max-per-core 0
}

# launch NAME CMD…: it starts in the node's network.
launch() { spawn "$1" 0 nsenter --net="/run/netns/$NETNS" "${@:2}"; }

# ready SECONDS NAME CMD…: until CMD succeeds; at once an error when the program NAME has died.
ready() {
  local deadline=$((SECONDS + $1)) program=$2; shift 2
  until inside "$@" >/dev/null 2>&1; do
    running "$program" || { tail -5 "$STATE/$program.log" >&2; fail "$program ended while starting; see $STATE/$program.log"; }
    [ $SECONDS -lt $deadline ] || { inside "$@" >&2 || true; fail "not ready: $*; see $STATE/*.log"; }
    sleep 0.2
  done
}

# import ARCHIVE: images for the node.
import() { ctr -a "$DIR/containerd.sock" -n k8s.io images import "$1" >/dev/null; }

# Where the kernel has control groups of version 1, each controller has a tree of its own.
cgroups() { find /sys/fs/cgroup -depth -type d \( -name "$CGROUP" -o -path "*/$CGROUP/*" \) 2>/dev/null || true; }
make_cgroup() {
  if [ -f /sys/fs/cgroup/cgroup.procs ]; then mkdir "/sys/fs/cgroup/$CGROUP"
  else local tree; for tree in /sys/fs/cgroup/*/; do mkdir -p "$tree$CGROUP"; done; fi
}

# Containers are known by their control group, whatever has become of those who started them.
stop_node() {
  stop_network
  local group; for group in $(cgroups); do xargs -r kill -9 2>/dev/null <"$group/cgroup.procs" || true; done
  for group in $(cgroups); do for _ in $(seq 50); do rmdir "$group" 2>/dev/null && break || sleep 0.05; done; done
  awk -v folder="$DIR/" 'index($2, folder) == 1 {print $2}' /proc/mounts | sort -r | xargs -r -n1 umount -l 2>/dev/null || true
  rm -rf "$DIR" "$STATE"/*.pid
}
