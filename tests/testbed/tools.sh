# Sourced by scripts beside it: programs for charts, in the cache.
HELM=3.19.5 PROMETHEUS_OPERATOR=0.85.0
PROMETHEUS=3.5.0 PROMETHEUS_MODULE=0.305.0 # one release: the module counts in its own way
TOOLS=$CACHE/bin PROMETHEUS_OPERATOR_CRDS=$CACHE/prometheus-operator-$PROMETHEUS_OPERATOR

# What a cluster cannot get later, since its network leads nowhere. Prometheus is built by those who ask for it.
tools() { helm_program; prometheus_operator_crds; }

# Without a cluster, Helm takes the Kubernetes that it was built with for the one that a chart asks about; its own build writes it in like this.
helm_program() {
  local helm=helm.sh/helm/v3 stamps package
  stamps="-X $helm/internal/version.version=v$HELM"
  for package in lint/rules chartutil; do stamps+=" -X $helm/pkg/$package.k8sVersionMajor=1 -X $helm/pkg/$package.k8sVersionMinor=34"; done
  go_build "$TOOLS/helm" $helm/cmd/helm "$helm@v$HELM" "$stamps"
}

# Debian's Prometheus cannot look for pods, so this one is built, with that way of finding targets alone: the others are most of it.
prometheus_programs() {
  local program
  if [ -x "$TOOLS/prometheus-$PROMETHEUS" ]; then return; fi
  local work; work=$(mktemp -d)
  (cd "$work"
   module=$(go mod download -json "github.com/prometheus/prometheus@v$PROMETHEUS_MODULE" | sed -nE 's/.*"Dir": "(.*)",/\1/p')
   cp -r "$module" source && chmod -R u+w source && cd source
   printf 'package plugins\n\nimport _ "github.com/prometheus/prometheus/discovery/kubernetes"\n' >plugins/plugins.go
   for program in promtool prometheus; do
     CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/prometheus/common/version.Version=$PROMETHEUS" -o "$TOOLS/$program" "./cmd/$program"
   done) || fail "could not build Prometheus"
  ln -f "$TOOLS/prometheus" "$TOOLS/prometheus-$PROMETHEUS"
  rm -rf "$work"
}

# What a cluster with the Prometheus Operator understands besides.
prometheus_operator_crds() {
  [ ! -d "$PROMETHEUS_OPERATOR_CRDS" ] || return 0
  local module kind
  module=$(go mod download -json "github.com/prometheus-operator/prometheus-operator@v$PROMETHEUS_OPERATOR" | sed -nE 's/.*"Dir": "(.*)",/\1/p')
  for kind in podmonitors prometheusrules; do
    install -D -m 644 -t "$PROMETHEUS_OPERATOR_CRDS.new" "$module/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml"
  done
  mv "$PROMETHEUS_OPERATOR_CRDS.new" "$PROMETHEUS_OPERATOR_CRDS"
}
