/*
 * How names must look. Each check returns what is wrong, in upstream's words (`apimachinery/pkg/util/validation`),
 * or nothing.
 */

export const dnsSubdomainLengthMax = 253;
export const dnsLabelLengthMax = 63;
export const labelValueLengthMax = 63;
const portNameLengthMax = 15;

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const label1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const qualified = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/** A pattern with what it stands for, and examples. */
interface Shape {
  pattern: string;
  regExp: RegExp;
  says: string;
}
function shape(pattern: string, means: string, examples: readonly string[]): Shape {
  const eg = examples.length > 0 ? `e.g. ${examples.map((e) => `'${e}', `).join(" or ")}` : "";
  return {
    pattern,
    regExp: new RegExp(`^${pattern}$`),
    says: `${means} (${eg}regex used for validation is '${pattern}')`,
  };
}

const subdomainShape = shape(
  subdomain,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  ["example.com"],
);
const labelShape = shape(
  label,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  ["my-name", "123-abc"],
);
const label1035Shape = shape(
  label1035,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  ["my-name", "abc-123"],
);
const wildcardShape = shape(
  `\\*\\.${subdomain}`,
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  ["*.example.com"],
);
const qualifiedShape = shape(
  qualified,
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyName", "my.name", "123-abc"],
);
const labelValueShape = shape(
  `(${qualified})?`,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyValue", "my_value", "12345"],
);
const configMapKeyShape = shape(
  "[-._a-zA-Z0-9]+",
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  ["key.name", "KEY_NAME", "key-name"],
);
const headerNameShape = shape(
  "[-A-Za-z0-9]+",
  "a valid HTTP header must consist of alphanumeric characters or '-'",
  ["X-Header-Name"],
);
const identifierShape = shape(
  "[A-Za-z_][A-Za-z0-9_]*",
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  ["my_name", "MY_NAME", "MyName"],
);
const strictEnvVarShape = shape(
  "[-._a-zA-Z][-._a-zA-Z0-9]*",
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  ["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
);
const percentShape = shape(
  "[0-9]+%",
  "a valid percent string must be a numeric string followed by an ending '%'",
  ["1%", "93%"],
);

export const tooLong = (lengthMax: number) => `must be no more than ${lengthMax} characters`;
export const outOfRange = (min: number, max: number) => `must be between ${min} and ${max}, inclusive`;
const empty = "must be non-empty";

const check = (text: string, { regExp, says }: Shape, lengthMax = Infinity): string[] => {
  const errors = lengthIn(text, lengthMax) ? [] : [tooLong(lengthMax)];
  if (!regExp.test(text)) errors.push(says);
  return errors;
};
/** Upstream counts bytes; what has other than ASCII fails its pattern anyway. */
const lengthIn = (text: string, lengthMax: number) => text.length <= lengthMax;

/** A name of most kinds: `my-app.example`. */
export const isDnsSubdomain = (text: string) => check(text, subdomainShape, dnsSubdomainLengthMax);

/** A name without dots: a namespace, a container. */
export function isDnsLabel(text: string): string[] {
  const errors = lengthIn(text, dnsLabelLengthMax) ? [] : [tooLong(dnsLabelLengthMax)];
  if (!labelShape.regExp.test(text))
    errors.push(subdomainShape.regExp.test(text) ? "must not contain dots" : labelShape.says);
  return errors;
}

/** A label that begins with a letter: a Service. */
export const isDns1035Label = (text: string) => check(text, label1035Shape, dnsLabelLengthMax);

export const isWildcardDnsSubdomain = (text: string) => check(text, wildcardShape, dnsSubdomainLengthMax);

/** `name` or `example.com/name`: label and annotation keys, finalizers, resource names, condition types. */
export function isQualifiedName(text: string): string[] {
  const parts = text.split("/");
  if (parts.length > 2)
    return [
      `a valid label key ${qualifiedShape.says} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const errors: string[] = [];
  if (parts.length === 2) {
    if (parts[0] === "") errors.push(`prefix part ${empty}`);
    else errors.push(...isDnsSubdomain(parts[0]!).map((message) => `prefix part ${message}`));
  }
  const name = parts.at(-1)!;
  if (name === "") errors.push(`name part ${empty}`);
  else if (!lengthIn(name, dnsLabelLengthMax)) errors.push(`name part ${tooLong(dnsLabelLengthMax)}`);
  if (!qualifiedShape.regExp.test(name)) errors.push(`name part ${qualifiedShape.says}`);
  return errors;
}

export const isLabelValue = (text: string) => check(text, labelValueShape, labelValueLengthMax);

/** The name of a container's port. */
export function isPortName(text: string): string[] {
  const errors = lengthIn(text, portNameLengthMax) ? [] : [tooLong(portNameLengthMax)];
  if (!/^[-a-z0-9]+$/.test(text))
    errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(text)) errors.push("must contain at least one letter (a-z)");
  if (text.includes("--")) errors.push("must not contain consecutive hyphens");
  if (/^-|-$/.test(text)) errors.push("must not begin or end with a hyphen");
  return errors;
}

export const isPortNumber = (port: number) => (port >= 1 && port <= 65_535 ? [] : [outOfRange(1, 65_535)]);

/** Any printable ASCII but `=`, as v1.36 has it (RelaxedEnvironmentVariableValidation). */
export function isEnvVarName(text: string): string[] {
  const errors = text === "" ? [`environment variable name ${empty}`] : [];
  if (!/^[ -<>-~]*$/.test(text))
    errors.push(
      "a valid environment variable name must consist only of printable ASCII characters other than '='",
    );
  return errors;
}

/** As before v1.30, and still where names are taken over from a ConfigMap's keys. */
export const isStrictEnvVarName = (text: string) => [
  ...check(text, strictEnvVarShape),
  ...noParentDirectory(text),
];

export const isConfigMapKey = (text: string) => [
  ...check(text, configMapKeyShape, dnsSubdomainLengthMax),
  ...noParentDirectory(text),
];

export const isHttpHeaderName = (text: string) => check(text, headerNameShape);
export const isCIdentifier = (text: string) => check(text, identifierShape);
export const isPercent = (text: string) => check(text, percentShape);

/** What may stand as one segment of a URL: names of roles and other things that need no DNS name. */
export function isPathSegmentName(text: string): string[] {
  if (text === "." || text === "..") return [`may not be '${text}'`];
  return ["/", "%"].filter((part) => text.includes(part)).map((part) => `may not contain '${part}'`);
}

/** A user's or group's number. */
export const isUserId = (id: number) => (id >= 0 && id <= 2 ** 31 - 1 ? [] : [outOfRange(0, 2 ** 31 - 1)]);

function noParentDirectory(text: string): string[] {
  if (text === "." || text === "..") return [`must not be '${text}'`];
  return text.startsWith("..") ? ["must not start with '..'"] : [];
}
