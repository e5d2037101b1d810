{{/* What the pods that run once share: that of the definitions, and that of the test. */}}

{{/* A failed Job stays, so that its log can be read; the next upgrade replaces it. */}}
{{- define "modelarts-pool-controller.crdsHook" -}}
helm.sh/hook: pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* Not the labels that select the controller's pods. Of the context and a name. */}}
{{- define "modelarts-pool-controller.jobLabels" -}}
app.kubernetes.io/name: {{ include "modelarts-pool-controller.name" (index . 0) | trunc 58 | trimSuffix "-" }}-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{/* Of the context and the service account. */}}
{{- define "modelarts-pool-controller.jobPod" -}}
{{- $ := index . 0 -}}
serviceAccountName: {{ index . 1 }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with $.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "modelarts-pool-controller.podSecurity" $ | nindent 2 }}
{{- with $.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.jobContainer" -}}
image: {{ include "modelarts-pool-controller.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- include "modelarts-pool-controller.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}
