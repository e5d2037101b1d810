{{- define "modelarts-pool-controller.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the objects; at most 63 characters, since some become label values. */}}
{{- define "modelarts-pool-controller.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "modelarts-pool-controller.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.selectorLabels" -}}
app.kubernetes.io/name: {{ include "modelarts-pool-controller.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "modelarts-pool-controller.labels" -}}
{{ include "modelarts-pool-controller.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "modelarts-pool-controller.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The spec of a source: as written, with the shorthand of `credentials` written out. */}}
{{- define "modelarts-pool-controller.sourceSpec" -}}
{{- $spec := deepCopy .spec }}
{{- if and .credentials $spec.credentials }}
{{- fail (printf "sources: %s has both credentials and spec.credentials; keep one" .name) }}
{{- end }}
{{- with .credentials }}
{{- $_ := set $spec "credentials" (dict "type" (default "AccessKey" .type) "secretRef" (dict "name" .existingSecret)) }}
{{- end }}
{{- if not $spec.credentials }}
{{- fail (printf "sources: %s has no credentials; set credentials.existingSecret to the name of a Secret in the namespace of the release" .name) }}
{{- end }}
{{- toYaml $spec }}
{{- end }}
