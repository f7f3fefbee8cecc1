{{/* Names begin with this: the release's name unless fullnameOverride says otherwise. A Service's name takes no dots. */}}
{{- define "pricepipe.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | replace "." "-" | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The name of a component's objects. usage: include "pricepipe.name" (dict "root" $ "component" "kafka") */}}
{{- define "pricepipe.name" -}}
{{- printf "%s-%s" (include "pricepipe.fullname" .root) .component }}
{{- end }}

{{/* What selects a component's pods. It never changes. usage: as above */}}
{{- define "pricepipe.selector" -}}
app.kubernetes.io/name: pricepipe
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* The labels of every object. usage: as above */}}
{{- define "pricepipe.labels" -}}
{{ include "pricepipe.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pricepipe
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* name, labels and annotations of an object. usage: include "pricepipe.metadata" (dict "root" $ "component" "kafka" "name" "…" "annotations" dict)
     name and annotations may be left out. */}}
{{- define "pricepipe.metadata" -}}
name: {{ default (include "pricepipe.name" .) .name }}
namespace: {{ default .root.Release.Namespace .namespace }}
labels:
  {{- include "pricepipe.labels" . | nindent 2 }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An image's full name. usage: include "pricepipe.image" (dict "root" $ "image" .Values.kafka.image) */}}
{{- define "pricepipe.image" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry -}}
{{- $name := printf "%s/%s" $registry .image.repository -}}
{{- if .image.digest }}{{ printf "%s@%s" $name .image.digest }}{{ else }}{{ printf "%s:%s" $name (default .root.Chart.AppVersion .image.tag) }}{{ end }}
{{- end }}

{{/* The pod's part of the restricted profile. usage: include "pricepipe.podSecurity" (dict "user" 65532) */}}
{{- define "pricepipe.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* A container's part of it. */}}
{{- define "pricepipe.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where pods run, and how they are pulled. usage: include "pricepipe.scheduling" (dict "root" $ "component" "kafka" "values" .Values.kafka)
     A component's own settings win over those of all. */}}
{{- define "pricepipe.scheduling" -}}
{{- $all := .root.Values.scheduling -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
{{- with default $all.priorityClassName .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with default $all.nodeSelector .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default $all.tolerations .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A pod's labels and annotations. usage: as above, with "annotations" for the component's own */}}
{{- define "pricepipe.podMetadata" -}}
labels:
  {{- include "pricepipe.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: pricepipe
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default dict .annotations) .values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
