# Sourced by `kubernetes`: the files that its programs read.

settings() {
  mkdir -p "$DIR/cni" "$DIR/volumes"
  containerd_settings >"$DIR/containerd.toml"
  cni_settings >"$DIR/cni/10-bridge.conflist"
  kubelet_settings >"$DIR/kubelet.yaml"
  audit_policy >"$DIR/audit.yaml"
  volumes >"$DIR/volumes.yaml"
}

containerd_settings() {
  cat <<TOML
version = 2
root = "$DIR/containerd/root"
state = "$DIR/containerd/state"
[grpc]
  address = "$DIR/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true # lowering it takes a capability that a sandbox may lack
  netns_mounts_under_state_dir = true # so that they are known as this cluster's
  sandbox_image = "localhost/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$DIR/cni"
TOML
}

cni_settings() {
  cat <<JSON
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$PODS"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "$DIR/addresses"}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
}

kubelet_settings() {
  cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$DIR/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $DIR/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $DIR/pki/kubelet.crt
tlsPrivateKeyFile: $DIR/pki/kubelet.key
clusterDomain: cluster.local
clusterDNS: [$DNS_IP]
resolvConf: ""
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageMinimumGCAge: 24h # nobody could be asked for an image that was removed
imageGCHighThresholdPercent: 100
podLogsDir: $DIR/logs
volumePluginDir: $DIR/plugins
maxPods: 200
YAML
}

# What the cluster's own parts do is left out: the log is there to see what the product does.
audit_policy() {
  cat <<YAML
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:apiserver", "system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy", "system:node:node0"]}
- {level: None, userGroups: ["system:serviceaccounts:kube-system"]}
- {level: Metadata}
YAML
}

# Folders that claims are bound to, for nobody here makes volumes on demand. Any user of a pod may write there. What was claimed is kept,
# and is not given to another claim.
volumes() {
  cat <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
YAML
  local volume; for volume in $(seq 30); do
    install -d -m 777 "$DIR/volumes/$volume"
    cat <<YAML
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: volume-$volume}
spec:
  storageClassName: local
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: $DIR/volumes/$volume}
YAML
  done
}
