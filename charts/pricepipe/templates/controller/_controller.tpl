{{/* Base URLs of an exchange for pipelines that name none, separated by commas; maybe none. Of: the exchange, and
endpoints or streamEndpoints. The simulator speaks all of them at one address. */}}
{{- define "pricepipe.exchangeEndpoints" -}}
{{- $exchange := .root.Values.exchange -}}
{{- $values := ternary $exchange (index $exchange .of) (eq .of "binance") -}}
{{- $name := ternary "exchange" (printf "exchange.%s" .of) (eq .of "binance") -}}
{{- $endpoints := index $values .list -}}
{{- if $exchange.simulator.enabled -}}
{{- if $endpoints }}{{ fail (printf "%s.%s and exchange.simulator.enabled exclude each other: the simulator is the exchange of pipelines that name none. Empty the one, or turn off the other." $name .list) }}{{ end -}}
{{- $scheme := ternary "ws" "http" (eq .list "streamEndpoints") -}}
{{- $endpoints = list (printf "%s://%s.%s.svc:8990" $scheme (include "pricepipe.name" (dict "root" .root "component" "exchange")) .root.Release.Namespace) -}}
{{- end -}}
{{- join "," $endpoints }}
{{- end }}
