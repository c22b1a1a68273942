import { type FieldError, fieldInvalid } from "../../machinery/index.ts";

/** How much pods of a namespace may ask for. Each level allows all that those after it allow. */
export type Level = "privileged" | "baseline" | "restricted";
const levels: readonly Level[] = ["privileged", "baseline", "restricted"];

/** The Kubernetes 1.x whose rules hold; Infinity: `latest`. */
export type MinorVersion = number;
const latest: MinorVersion = Number.POSITIVE_INFINITY;

export interface LevelVersion {
  level: Level;
  version: MinorVersion;
}

/** What happens to pods that ask for more than each of the three allows. */
export interface Policy {
  enforce: LevelVersion;
  audit: LevelVersion;
  warn: LevelVersion;
}

export const labelPrefix = "pod-security.kubernetes.io/";

/** Where a namespace says nothing. */
export const defaultPolicy: Policy = {
  enforce: { level: "privileged", version: latest },
  audit: { level: "privileged", version: latest },
  warn: { level: "privileged", version: latest },
};

/** `restricted:v1.30` */
export const formatPolicy = ({ level, version }: LevelVersion): string =>
  `${level}:${version === latest ? "latest" : `v1.${version}`}`;

export const isSamePolicy = (a: LevelVersion, b: LevelVersion): boolean =>
  a.level === b.level && a.version === b.version;

/** Negative when `a` is less strict. */
export const compareLevels = (a: Level, b: Level): number => levels.indexOf(a) - levels.indexOf(b);

/**
 * The policy that a namespace's labels set, and what is wrong with them. There always is one: what cannot be read
 * enforces the strictest, and audits and warns of nothing. As `pod-security-admission/api.PolicyToEvaluate`.
 */
export function policyOf(labels: Readonly<Record<string, string>> = noLabels): ReadPolicy {
  const known = readPolicies.get(labels);
  if (known) return known;
  const read = readPolicy(labels);
  // What is stored does not change any more, and is asked for with every pod.
  if (Object.isFrozen(labels)) readPolicies.set(labels, read);
  return read;
}

interface ReadPolicy {
  policy: Policy;
  errors: FieldError[];
}

const noLabels = Object.freeze({});
const readPolicies = new WeakMap<object, ReadPolicy>();

function readPolicy(labels: Readonly<Record<string, string>>): ReadPolicy {
  const errors: FieldError[] = [];
  const read = <T>(label: string, parse: (text: string) => T | undefined, must: string) => {
    const text = labels[labelPrefix + label];
    if (text === undefined) return { isSet: false as const };
    const value = parse(text);
    if (value === undefined) errors.push(fieldInvalid(`metadata.labels[${labelPrefix}${label}]`, text, must));
    return { isSet: true as const, value };
  };
  const ofMode = (mode: keyof Policy, levelOtherwise: Level) => {
    const level = read(mode, parseLevel, `must be one of ${levels.join(", ")}`);
    const version = read(`${mode}-version`, parseVersion, 'must be "latest" or "v1.x"');
    return {
      level,
      version,
      policy: {
        level: level.isSet ? (level.value ?? levelOtherwise) : defaultPolicy[mode].level,
        version: version.isSet ? (version.value ?? latest) : defaultPolicy[mode].version,
      },
    };
  };
  const enforce = ofMode("enforce", "restricted");
  const audit = ofMode("audit", "privileged");
  const warn = ofMode("warn", "privileged");
  // Who enforces is told what would be enforced also where only a template is made.
  const hasEnforceLevel = enforce.level.isSet && enforce.level.value !== undefined;
  if (!warn.level.isSet && hasEnforceLevel && compareLevels(enforce.policy.level, warn.policy.level) > 0) {
    warn.policy.level = enforce.policy.level;
    if (!warn.version.isSet) warn.policy.version = enforce.policy.version;
  }
  return { policy: { enforce: enforce.policy, audit: audit.policy, warn: warn.policy }, errors };
}

const parseLevel = (text: string): Level | undefined => levels.find((level) => level === text);

function parseVersion(text: string): MinorVersion | undefined {
  if (text === "latest") return latest;
  const minor = /^v1\.(0|[1-9]\d*)$/.exec(text)?.[1];
  return minor === undefined ? undefined : Number(minor);
}
