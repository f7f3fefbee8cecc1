{{/* Where the bundled Prometheus answers. */}}
{{- define "pricepipe.prometheusUrl" -}}
{{- printf "http://%s.%s.svc:%d" (include "pricepipe.name" (dict "root" . "component" "prometheus")) .Release.Namespace (int .Values.prometheus.service.port) }}
{{- end }}

{{/* The namespaces with pods of pricepipe, as a list in YAML; an empty one stands for all. */}}
{{- define "pricepipe.scrapedNamespaces" -}}
{{- if .Values.controller.watchNamespaces -}}
{{- append .Values.controller.watchNamespaces .Release.Namespace | uniq | toYaml }}
{{- else -}}
[]
{{- end }}
{{- end }}

{{/* What the bundled Prometheus may do where it looks for pods. */}}
{{- define "pricepipe.scrapeRules" -}}
# find the pods with metrics
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- end }}
