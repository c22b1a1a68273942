import assert from "node:assert/strict";
import { test } from "node:test";
import { container, errorsOf, podOf, podWith } from "../../../../kind.suite.ts";

const at = "spec.containers[0]";
const init = "spec.initContainers[0]";
const sidecar = { restartPolicy: "Always" };

/** What is wrong with a pod of one such container (and the rest of its spec). */
const cases: [what: string, pod: object, ...errors: string[]][] = [
  // Probes and hooks
  [
    "a probe has a handler",
    podOf({ livenessProbe: {} }),
    `${at}.livenessProbe: Required value: must specify a handler type`,
  ],
  [
    "a probe has one handler",
    podOf({ readinessProbe: { exec: { command: ["true"] }, tcpSocket: { port: 80 } } }),
    `${at}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`,
  ],
  [
    "handlers are complete",
    podOf({
      livenessProbe: { exec: {} },
      readinessProbe: { httpGet: { port: 0, scheme: "FTP", httpHeaders: [{ name: "a b", value: "" }] } },
      startupProbe: { tcpSocket: { port: "no_port" } },
    }),
    `${at}.livenessProbe.exec.command: Required value`,
    `${at}.readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
    `${at}.readinessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"`,
    `${at}.readinessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
    `${at}.startupProbe.tcpSocket.port: Invalid value: "no_port": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
  ],
  [
    "a probe's numbers are not negative",
    podOf({
      readinessProbe: {
        exec: { command: ["true"] },
        initialDelaySeconds: -1,
        timeoutSeconds: -1,
        periodSeconds: -1,
        successThreshold: -1,
        failureThreshold: -1,
        terminationGracePeriodSeconds: 0,
      },
    }),
    ...["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"].map(
      (field) => `${at}.readinessProbe.${field}: Invalid value: -1: must be greater than or equal to 0`,
    ),
    `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`,
    `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must not be set for readinessProbes`,
  ],
  [
    "liveness needs one success",
    podOf({ livenessProbe: { exec: { command: ["true"] }, successThreshold: 2 } }),
    `${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
  ],
  [
    "a hook sleeps within the grace period",
    podOf({ lifecycle: { preStop: { sleep: { seconds: 31 } } } }),
    `${at}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)`,
  ],
  [
    "a stop signal needs to know the OS",
    podOf({ lifecycle: { stopSignal: "SIGUSR1" } }),
    `${at}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty \`spec.os.name\``,
  ],

  // Restart
  [
    "rules of restarting need a policy",
    podOf({ restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }] }),
    `${at}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
  ],
  [
    "a container's restart policy and rules are known",
    podOf({ restartPolicy: "Maybe", restartPolicyRules: [{ action: "Stop" }] }),
    `${at}.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"`,
    `${at}.restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart", "RestartAllContainers"`,
    `${at}.restartPolicyRules[0].exitCodes: Required value: must be specified`,
  ],

  // Init containers
  [
    "an init container has neither probes nor hooks",
    podWith({
      initContainers: [
        container({
          name: "init",
          lifecycle: { preStop: { exec: { command: ["true"] } } },
          readinessProbe: { exec: { command: ["true"] } },
        }),
      ],
    }),
    `${init}.lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always`,
    `${init}.readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always`,
  ],
  [
    "a sidecar has both",
    podWith({
      initContainers: [
        container({
          name: "sidecar",
          ...sidecar,
          lifecycle: { preStop: { exec: { command: ["true"] } } },
          readinessProbe: { exec: { command: ["true"] } },
        }),
      ],
    }),
  ],
];

for (const [what, pod, ...errors] of cases) {
  test(what, () => assert.deepEqual(errorsOf("Pod", pod), errors));
}
