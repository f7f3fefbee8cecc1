{{/* Base URLs of the exchange for pipelines that name none, separated by commas; maybe none. */}}
{{- define "pricepipe.exchangeEndpoints" -}}
{{- $endpoints := .Values.exchange.endpoints -}}
{{- if .Values.exchange.simulator.enabled -}}
{{- if $endpoints }}{{ fail "exchange.endpoints and exchange.simulator.enabled exclude each other: the simulator is the exchange of pipelines that name none. Empty the one, or turn off the other." }}{{ end -}}
{{- $endpoints = list (printf "http://%s.%s.svc:8990" (include "pricepipe.name" (dict "root" . "component" "exchange")) .Release.Namespace) -}}
{{- end -}}
{{- join "," $endpoints }}
{{- end }}
