{{- define "sealgate.name" -}}
{{- .Values.nameOverride | default .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{/* Objects of the whole cluster: another release in another namespace has its own. */}}
{{- define "sealgate.clusterName" -}}
{{- printf "%s-%s" (include "sealgate.name" .) .Release.Namespace | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "sealgate.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "sealgate.name" .) -}}
{{- end }}

{{- define "sealgate.selector" -}}
app.kubernetes.io/name: sealgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sealgate.labels" -}}
{{ include "sealgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Of (dict "image" ... "default" TAG). */}}
{{- define "sealgate.image" -}}
{{- $tag := .image.tag | default .default -}}
{{ .image.repository }}:{{ $tag }}{{ with .image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* 443=8443,80=8080: the ports that are bound in place of a Gateway's. */}}
{{- define "sealgate.portMap" -}}
{{- $pairs := list -}}
{{- range .Values.ports -}}
{{- if ne (int .port) (int .targetPort) -}}
{{- $pairs = append $pairs (printf "%d=%d" (int .port) (int .targetPort)) -}}
{{- end -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end }}

{{- define "sealgate.gatewayLabels" -}}
{{- $pairs := list -}}
{{- range $key, $value := .Values.gatewayLabels -}}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end }}

{{- define "sealgate.locality" -}}
{{- if eq .Values.locality "pod" -}}
$(POD_REGION)/$(POD_ZONE)
{{- else -}}
{{- .Values.locality -}}
{{- end -}}
{{- end }}

{{- define "sealgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
