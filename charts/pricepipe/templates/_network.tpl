{{/* Names can be looked up, wherever the cluster's DNS is. */}}
{{- define "pricepipe.dnsEgress" -}}
- ports:
  - {port: 53, protocol: UDP}
  - {port: 53, protocol: TCP}
{{- end }}

{{/* TCP ports at any address. usage: include "pricepipe.portsEgress" (list 443 6443) */}}
{{- define "pricepipe.portsEgress" -}}
- ports:
  {{- range . }}
  - {port: {{ int . }}, protocol: TCP}
  {{- end }}
{{- end }}

{{/* Who may call a web page: the cluster, and everybody where its Service leads outside. usage: include "pricepipe.pageIngress" .Values.grafana */}}
{{- define "pricepipe.pageIngress" -}}
- ports:
  - {port: http, protocol: TCP}
  {{- if eq .service.type "ClusterIP" }}
  from:
  - namespaceSelector: {}
  {{- end }}
{{- end }}
