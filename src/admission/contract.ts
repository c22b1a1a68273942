import type { UserInfo } from "../auth/index.ts";
import type { GroupVersionKind, GroupVersionResource, KubeObject } from "../machinery/index.ts";

/** A write on its way to the store. As `k8s.io/apiserver/pkg/admission.Attributes`. */
export interface AdmissionRequest {
  operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  kind: GroupVersionKind;
  resource: GroupVersionResource;
  subresource?: string;
  namespace?: string;
  name: string;
  user: UserInfo;
  dryRun: boolean;
  /** Mutable in `mutate`; absent on DELETE. */
  object?: KubeObject;
  old?: KubeObject;
  /** Collects `Warning` headers. */
  warn(message: string): void;
  /** Notes something for who looks at the server's log. As an audit annotation. */
  audit(key: string, value: string): void;
}

/**
 * One admission plugin. Mutating plugins run first, in order; then validating ones. A refusal is a thrown `StatusError`
 * (403 mostly). `wants` is asked first and must be cheap.
 */
export interface AdmissionPlugin {
  name: string;
  wants(request: AdmissionRequest): boolean;
  mutate?(request: AdmissionRequest): Promise<void> | void;
  validate?(request: AdmissionRequest): Promise<void> | void;
}
