{{/* The Prometheus that Grafana reads. */}}
{{- define "pricepipe.datasourceUrl" -}}
{{- if .Values.grafana.datasourceUrl -}}
{{- .Values.grafana.datasourceUrl }}
{{- else if .Values.prometheus.enabled -}}
{{- include "pricepipe.prometheusUrl" . }}
{{- else -}}
{{- fail "grafana.enabled wants a Prometheus: set prometheus.enabled, or name yours as grafana.datasourceUrl, or turn Grafana off by grafana.enabled=false." }}
{{- end }}
{{- end }}

{{/* The Secret with Grafana's administrator. */}}
{{- define "pricepipe.grafanaSecret" -}}
{{- default (include "pricepipe.name" (dict "root" . "component" "grafana")) .Values.grafana.existingSecret }}
{{- end }}

{{/* The name of a dashboard's ConfigMap. usage: include "pricepipe.dashboardName" (dict "root" $ "file" "files/dashboards/prices.json") */}}
{{- define "pricepipe.dashboardName" -}}
{{- $component := base .file | trimSuffix ".json" | lower | replace "_" "-" | printf "dashboard-%s" -}}
{{- include "pricepipe.name" (dict "root" .root "component" $component) }}
{{- end }}
