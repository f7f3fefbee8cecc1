# Sourced by `kubernetes`: a certificate authority, and for each program a certificate and a kubeconfig that are signed by it.

credentials() {
  mkdir -p "$DIR/pki"; chmod 700 "$DIR/pki"
  (cd "$DIR/pki"
   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=testbed -addext keyUsage=critical,keyCertSign
   openssl genrsa -out tokens.key 2048; openssl rsa -in tokens.key -pubout -out tokens.pub # of service accounts
   certificate apiserver /CN=kube-apiserver "DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$API_IP,IP:$NODE_IP"
   certificate kubelet /O=system:nodes/CN=system:node:node0 "DNS:node0,IP:$NODE_IP"
   certificate admin /O=system:masters/CN=admin
   certificate manager /CN=system:kube-controller-manager
   certificate scheduler /CN=system:kube-scheduler
   certificate proxy /CN=system:kube-proxy
  ) 2>"$STATE/openssl.log" || { cat "$STATE/openssl.log" >&2; fail "could not make certificates"; }
  local user; for user in admin manager scheduler proxy kubelet; do kubeconfig $user >"$DIR/$user.kubeconfig"; done
}

# certificate NAME SUBJECT [NAMES]
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
    -extfile <(printf 'keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n%s' "${3:+subjectAltName=$3}")
}

# The context's name is how a test knows that this is no cluster of somebody's.
kubeconfig() {
  local pki=$DIR/pki
  cat <<YAML
apiVersion: v1
kind: Config
current-context: pricepipe-testbed
clusters: [{name: testbed, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}]
contexts: [{name: pricepipe-testbed, context: {cluster: testbed, user: $1}}]
YAML
}
