{{/* Base URLs of an exchange for pipelines that name none, separated by commas; maybe none. endpoints: what the values say, and
name: where. The simulator speaks for every exchange at one address. */}}
{{- define "pricepipe.exchangeEndpoints" -}}
{{- $endpoints := .endpoints -}}
{{- if .root.Values.exchange.simulator.enabled -}}
{{- if $endpoints }}{{ fail (printf "%s and exchange.simulator.enabled exclude each other: the simulator is the exchange of pipelines that name none. Empty the one, or turn off the other." .name) }}{{ end -}}
{{- $scheme := ternary "ws" "http" (hasSuffix "streamEndpoints" .name) -}}
{{- $endpoints = list (printf "%s://%s.%s.svc:8990" $scheme (include "pricepipe.name" (dict "root" .root "component" "exchange")) .root.Release.Namespace) -}}
{{- end -}}
{{- join "," $endpoints }}
{{- end }}
