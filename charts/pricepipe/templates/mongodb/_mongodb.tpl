{{/* Name of the bundled MongoDB's Secret. That of the chart has the name that pipelines look for by themselves. */}}
{{- define "pricepipe.mongodbSecretName" -}}
{{ default "pricepipe-mongodb" .Values.mongodb.existingSecret }}
{{- end }}

{{/* name/key of the Secret with the connection string of pipelines that name none. */}}
{{- define "pricepipe.mongodbSecret" -}}
{{- if .Values.mongodb.enabled -}}
{{ include "pricepipe.mongodbSecretName" . }}/uri
{{- else -}}
{{ .Values.externalMongodb.existingSecret }}/{{ .Values.externalMongodb.key }}
{{- end }}
{{- end }}

{{/* Fails where values of MongoDB do not fit together. */}}
{{- define "pricepipe.checkMongodb" -}}
{{- $external := printf "%s/%s" .Values.externalMongodb.existingSecret .Values.externalMongodb.key -}}
{{- if and .Values.mongodb.enabled (ne $external "pricepipe-mongodb/uri") }}
{{- fail "externalMongodb is set beside mongodb.enabled: set mongodb.enabled=false to use your MongoDB, or remove externalMongodb" }}
{{- end }}
{{- if not (and .Values.externalMongodb.existingSecret .Values.externalMongodb.key) }}
{{- fail "externalMongodb.existingSecret and externalMongodb.key name the Secret with the connection string: set both" }}
{{- end }}
{{- end }}
