# Sourced by `kubernetes`: a network namespace with one interface, which is the node's.
SERVICES=198.18.0.0/20 PODS=198.18.16.0/20 API_IP=198.18.0.1 DNS_IP=198.18.0.10

start_network() {
  ip netns add "$NETNS"
  inside ip link set lo up
  inside ip link add node0 type veth peer name node0-peer # its peer leads nowhere
  inside ip link set node0-peer up
  inside ip link set node0 up
  inside ip addr add $NODE_IP/24 dev node0
  inside ip route add default via 192.0.2.254 dev node0 # nobody is there; but Kubernetes looks for the node by its default route
  inside sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
}

# Everything that runs in this namespace was started for it; interfaces and rules go with it.
stop_network() {
  local process; for process in $(ip netns pids "$NETNS" 2>/dev/null); do kill -9 "$process" 2>/dev/null || true; done
  ip netns del "$NETNS" 2>/dev/null || rm -f "/run/netns/$NETNS"
}
