{{- define "sealgate.pod" -}}
metadata:
  labels:
    {{- include "sealgate.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Envoy reads its bootstrap once: another one is another pod.
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "sealgate.serviceAccount" . }}
  automountServiceAccountToken: false
  # Of a Service `sealgate` there would be variables SEALGATE_..., by which the agent reads its flags.
  enableServiceLinks: false
  # The drain, and a little for both to end.
  terminationGracePeriodSeconds: {{ add .Values.drain.mostSeconds 15 }}
  # One user for both, so that nobody else may use the agent's socket.
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  initContainers:
    # A native sidecar: Envoy starts when it has all of its lists, and it ends after Envoy.
    - name: agent
      restartPolicy: Always
      image: {{ include "sealgate.image" (dict "image" .Values.agent.image "default" .Chart.AppVersion) }}
      imagePullPolicy: {{ .Values.agent.image.pullPolicy }}
      command: [sealgate]
      args:
        - run
        - --source=kubernetes
        - --namespace=$(POD_NAMESPACE)
        {{- if .Values.locality }}
        - {{ include "sealgate.gatewayLabels" . | printf "--gateway-labels=%s,kubernetes.io/hostname=$(NODE_NAME)" | quote }}
        - {{ include "sealgate.locality" . | printf "--locality=%s" | quote }}
        {{- else }}
        - {{ include "sealgate.gatewayLabels" . | printf "--gateway-labels=%s" | quote }}
        {{- end }}
        - {{ .Values.listen | printf "--listen=%s" | quote }}
        {{- with include "sealgate.portMap" . }}
        - {{ . | printf "--port-map=%s" | quote }}
        {{- end }}
        - {{ include "sealgate.adminAddress" . | printf "--admin=%s" | quote }}
        - --state-dir=/var/lib/sealgate
        {{- if .Values.rbac.secretNames }}
        # It may not watch the namespace.
        - --secret-watch=name
        {{- end }}
        {{- if .Values.agent.tenancyPolicy }}
        - --tenancy-policy=/etc/sealgate/tenancy.yaml
        {{- end }}
        {{- range .Values.agent.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        {{- if .Values.locality }}
        - name: NODE_NAME
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        {{- end }}
        {{- if eq .Values.locality "pod" }}
        - name: POD_REGION
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['topology.kubernetes.io/region']
        - name: POD_ZONE
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['topology.kubernetes.io/zone']
        {{- end }}
        - name: SEALGATE_LOG
          value: {{ .Values.agent.logLevel | quote }}
      ports:
        - name: admin
          containerPort: 15080
      startupProbe:
        httpGet:
          path: /readyz
          port: admin
        periodSeconds: 1
        failureThreshold: 120
      livenessProbe:
        httpGet:
          path: /healthz
          port: admin
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      securityContext:
        {{- include "sealgate.containerSecurity" . | nindent 8 }}
      resources:
        {{- toYaml .Values.agent.resources | nindent 8 }}
      volumeMounts:
        - name: shared
          mountPath: /run/sealgate
        - name: state
          mountPath: /var/lib/sealgate
        - name: token
          mountPath: /var/run/secrets/kubernetes.io/serviceaccount
          readOnly: true
        {{- if .Values.agent.tenancyPolicy }}
        - name: config
          mountPath: /etc/sealgate
          readOnly: true
        {{- end }}
  containers:
    - name: envoy
      image: {{ include "sealgate.image" (dict "image" .Values.envoy.image "default" "") }}
      imagePullPolicy: {{ .Values.envoy.image.pullPolicy }}
      command: [envoy]
      args:
        - --config-path
        - /etc/sealgate/bootstrap.yaml
        - --service-node
        - $(POD_NAME)
        - --log-level
        - {{ .Values.envoy.logLevel }}
        {{- if .Values.envoy.concurrency }}
        - --concurrency
        - {{ .Values.envoy.concurrency | quote }}
        {{- end }}
        # The file system is read-only, and nothing starts a second Envoy here.
        - --disable-hot-restart
        # Told to drain, it says so with every answer, not with some.
        - --drain-strategy
        - immediate
        {{- range .Values.envoy.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: DRAIN_LEAST
          value: {{ .Values.drain.leastSeconds | quote }}
        - name: DRAIN_MOST
          value: {{ .Values.drain.mostSeconds | quote }}
      ports:
        {{- range .Values.ports }}
        - name: {{ .name }}
          containerPort: {{ .targetPort }}
          {{- if $.Values.hostPorts }}
          hostPort: {{ .port }}
          {{- if .http3 }}
        # Only here: the pod needs no word of it otherwise, and patches of pods confuse the two.
        - containerPort: {{ .targetPort }}
          hostPort: {{ .port }}
          protocol: UDP
          {{- end }}
          {{- end }}
        {{- end }}
        - name: probes
          containerPort: 15021
      # There is no liveness probe: an Envoy that ends is started again, and one that drains must not be.
      readinessProbe:
        httpGet:
          path: /ready
          port: probes
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 3
      lifecycle:
        preStop:
          exec:
            command: [/bin/bash, /etc/sealgate/drain.sh]
      securityContext:
        {{- include "sealgate.containerSecurity" . | nindent 8 }}
      resources:
        {{- toYaml .Values.envoy.resources | nindent 8 }}
      volumeMounts:
        - name: shared
          mountPath: /run/sealgate
          readOnly: true
        - name: config
          mountPath: /etc/sealgate
          readOnly: true
  volumes:
    # The agent's socket, and the filter that Envoy reads.
    - name: shared
      emptyDir:
        medium: Memory
        sizeLimit: 16Mi
    - name: state
      {{- with .Values.agent.stateVolume }}
      {{- toYaml . | nindent 6 }}
      {{- else }}
      emptyDir:
        sizeLimit: 256Mi
      {{- end }}
    - name: config
      configMap:
        name: {{ include "sealgate.name" . }}
    - name: token
      projected:
        sources:
          - serviceAccountToken:
              path: token
              expirationSeconds: 3607
          - configMap:
              name: kube-root-ca.crt
              items:
                - key: ca.crt
                  path: ca.crt
          - downwardAPI:
              items:
                - path: namespace
                  fieldRef:
                    fieldPath: metadata.namespace
  {{- if and .Values.topologySpread.enabled (eq .Values.kind "Deployment") }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      # Each rollout's pods by themselves: old ones that are about to go do not count.
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "sealgate.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "sealgate.adminAddress" -}}
{{- if contains ":" .Values.listen }}[{{ .Values.listen }}]:15080{{ else }}{{ .Values.listen }}:15080{{ end -}}
{{- end }}
