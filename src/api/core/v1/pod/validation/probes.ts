import {
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isHttpHeaderName,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { addInvalid, type FieldErrors, validateNonNegative } from "../../../../validation/values.ts";
import type { SpecContext } from "./context.ts";
import { validatePortReference } from "./ports.ts";
import { validateStopSignal } from "./stop-signal.ts";

/** The handlers of probes and hooks. */
type Handlers = corev1.Probe & corev1.LifecycleHandler;

/** In the order in which the first one wins. */
const handlerKinds = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const;

export function validateProbes(
  errors: FieldErrors,
  { livenessProbe, readinessProbe, startupProbe }: corev1.Container,
  context: SpecContext,
  path: string,
): void {
  if (livenessProbe) {
    validateProbe(errors, livenessProbe, context, `${path}.livenessProbe`);
    validateSingleSuccess(errors, livenessProbe, `${path}.livenessProbe`);
  }
  if (readinessProbe) {
    const at = `${path}.readinessProbe`;
    validateProbe(errors, readinessProbe, context, at);
    if (readinessProbe.terminationGracePeriodSeconds !== undefined)
      errors.push(
        fieldInvalid(
          `${at}.terminationGracePeriodSeconds`,
          readinessProbe.terminationGracePeriodSeconds,
          "must not be set for readinessProbes",
        ),
      );
  }
  if (startupProbe) {
    validateProbe(errors, startupProbe, context, `${path}.startupProbe`);
    validateSingleSuccess(errors, startupProbe, `${path}.startupProbe`);
  }
}

function validateSingleSuccess(errors: FieldErrors, probe: corev1.Probe, path: string): void {
  if (probe.successThreshold !== 1)
    errors.push(fieldInvalid(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1"));
}

function validateProbe(errors: FieldErrors, probe: corev1.Probe, context: SpecContext, path: string): void {
  validateHandler(errors, probe, context, path);
  validateNonNegative(errors, probe.initialDelaySeconds, `${path}.initialDelaySeconds`);
  validateNonNegative(errors, probe.timeoutSeconds, `${path}.timeoutSeconds`);
  validateNonNegative(errors, probe.periodSeconds, `${path}.periodSeconds`);
  validateNonNegative(errors, probe.successThreshold, `${path}.successThreshold`);
  validateNonNegative(errors, probe.failureThreshold, `${path}.failureThreshold`);
  const graceS = probe.terminationGracePeriodSeconds;
  if (graceS !== undefined && graceS <= 0)
    errors.push(fieldInvalid(`${path}.terminationGracePeriodSeconds`, graceS, "must be greater than 0"));
}

export function validateLifecycle(
  errors: FieldErrors,
  { postStart, preStop, stopSignal }: corev1.Lifecycle,
  context: SpecContext,
  path: string,
): void {
  if (postStart) validateHandler(errors, postStart, context, `${path}.postStart`);
  if (preStop) validateHandler(errors, preStop, context, `${path}.preStop`);
  if (stopSignal !== undefined)
    validateStopSignal(errors, stopSignal, context.spec.os?.name, `${path}.stopSignal`);
}

function validateHandler(errors: FieldErrors, handlers: Handlers, context: SpecContext, path: string): void {
  let found: (typeof handlerKinds)[number] | undefined;
  for (const kind of handlerKinds) {
    if (!handlers[kind]) continue;
    if (found) {
      errors.push(fieldForbidden(`${path}.${kind}`, "may not specify more than 1 handler type"));
      continue;
    }
    found = kind;
    validateAction(errors, kind, handlers, context, `${path}.${kind}`);
  }
  if (!found) errors.push(fieldRequired(path, "must specify a handler type"));
}

function validateAction(
  errors: FieldErrors,
  kind: (typeof handlerKinds)[number],
  handlers: Handlers,
  context: SpecContext,
  path: string,
): void {
  switch (kind) {
    case "exec":
      if (!handlers.exec?.command?.length) errors.push(fieldRequired(`${path}.command`));
      return;
    case "httpGet":
      validateHttpGet(errors, handlers.httpGet!, path);
      return;
    case "tcpSocket":
      validatePortReference(errors, handlers.tcpSocket?.port, `${path}.port`);
      return;
    case "grpc":
      validatePortReference(errors, handlers.grpc?.port, `${path}.port`);
      return;
    case "sleep":
      validateSleep(errors, handlers.sleep?.seconds ?? 0, context, path);
      return;
  }
}

function validateHttpGet(errors: FieldErrors, action: corev1.HTTPGetAction, path: string): void {
  if (!action.path) errors.push(fieldRequired(`${path}.path`));
  validatePortReference(errors, action.port, `${path}.port`);
  const scheme: string = action.scheme ?? "";
  if (scheme !== "HTTP" && scheme !== "HTTPS")
    errors.push(fieldNotSupported(`${path}.scheme`, scheme, ["HTTP", "HTTPS"]));
  for (const { name = "" } of action.httpHeaders ?? [])
    addInvalid(errors, name, isHttpHeaderName(name), `${path}.httpHeaders`);
}

function validateSleep(errors: FieldErrors, seconds: number, { spec }: SpecContext, path: string): void {
  const graceS = spec.terminationGracePeriodSeconds;
  if (graceS !== undefined && (seconds < 0 || seconds > graceS))
    errors.push(
      fieldInvalid(
        path,
        seconds,
        `must be non-negative and less than terminationGracePeriodSeconds (${graceS})`,
      ),
    );
}
