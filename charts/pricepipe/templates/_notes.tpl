{{/* A command that prints values of a Secret, separated by spaces. usage: include "pricepipe.readSecret" (list NAMESPACE NAME KEY…) */}}
{{- define "pricepipe.readSecret" -}}
{{- $values := list -}}
{{- range slice . 2 }}{{ $values = append $values (printf `{{index .data %q | base64decode}}` .) }}{{ end -}}
kubectl -n {{ index . 0 }} get secret {{ index . 1 }} -o go-template='{{ join " " $values }}{{`{{"\n"}}`}}'
{{- end }}
