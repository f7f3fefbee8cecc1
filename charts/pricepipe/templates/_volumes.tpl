{{/* A StatefulSet's volume. Its labels are those that no upgrade changes, since it cannot be changed.
     usage: include "pricepipe.volumeClaim" (dict "root" $ "component" "kafka" "values" .Values.kafka) */}}
{{- define "pricepipe.volumeClaim" -}}
- metadata:
    name: data
    labels:
      {{- include "pricepipe.selector" . | nindent 6 }}
    {{- with .values.persistence.annotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    accessModes:
    {{- toYaml .values.persistence.accessModes | nindent 4 }}
    {{- with .values.persistence.storageClass }}
    storageClassName: {{ . | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ .values.persistence.size | quote }}
{{- end }}
