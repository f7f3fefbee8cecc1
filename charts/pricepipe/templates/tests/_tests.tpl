{{/* A pod that `helm test` runs. It is tried again for a while: what was just installed may need it.
     usage: include "pricepipe.testPod" (dict "root" $ "name" "kafka" "weight" 1 "image" .Values.kafka.image "user" 1000 "command" list) */}}
{{- define "pricepipe.testPod" -}}
{{- $this := dict "root" .root "component" "test" "values" dict -}}
{{- $name := printf "%s-%s" (include "pricepipe.name" $this) .name -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "pricepipe.metadata" (merge (dict "name" $name "annotations" (include "pricepipe.testHook" . | fromYaml)) $this) | nindent 2 }}
spec:
  restartPolicy: OnFailure
  activeDeadlineSeconds: 240
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with include "pricepipe.scheduling" $this | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  securityContext:
    {{- include "pricepipe.podSecurity" (dict "user" .user) | nindent 4 }}
  containers:
  - name: test
    image: {{ include "pricepipe.image" (dict "root" .root "image" .image) }}
    imagePullPolicy: {{ .image.pullPolicy }}
    command:
    {{- toYaml .command | nindent 4 }}
    {{- with .env }}
    env:
    {{- range $variable, $value := . }}
    - {name: {{ $variable }}, value: {{ $value | quote }}}
    {{- end }}
    {{- end }}
    resources:
      requests: {cpu: 10m, memory: 64Mi}
      limits: {memory: 256Mi}
    securityContext:
      {{- include "pricepipe.containerSecurity" . | nindent 6 }}
    volumeMounts:
    - {name: tmp, mountPath: /tmp}
  volumes:
  - name: tmp
    emptyDir: {}
{{- end }}

{{/* The annotations of what `helm test` makes; it goes when all have passed. */}}
{{- define "pricepipe.testHook" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* A query that fails unless the expression gives something. promtool itself is content with an empty answer, so where there is nothing two
     series are put where only one may be. usage: include "pricepipe.wanted" "up == 1" */}}
{{- define "pricepipe.wanted" -}}
{{- $missing := printf "absent(%s)" . -}}
{{- printf `vector(1) * on () (%s or label_replace(%s, "nothing", "yet", "", ""))` $missing $missing }}
{{- end }}

{{/* Whether all that a pipeline needs is in the release, so that one can be tried without touching anything of yours. */}}
{{- define "pricepipe.testsPipeline" -}}
{{- $watched := .Values.controller.watchNamespaces -}}
{{- $here := or (not $watched) (has .Release.Namespace $watched) -}}
{{- if and $here .Values.exchange.simulator.enabled .Values.kafka.enabled .Values.mongodb.enabled .Values.prometheus.enabled }}true{{ end }}
{{- end }}
