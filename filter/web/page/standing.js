// The state of certificates, proxies and budgets. The same needs attention here as in `sealgate status`.

import { day, relative } from "./time.js";

const WORDS = {
  expired: own => `It expired ${relative(own.notAfter)} and is still served`,
  "not-yet-valid": own => `It is not valid before ${day(own.notBefore)}`,
  "crl-expired": () => "Its revocation list has expired, so Envoy rejects every client",
  "crl-not-yet-valid": () => "Its revocation list is not valid yet, so Envoy rejects every client",
  "crl-partial": () => "One of its CAs has no revocation list, so Envoy rejects that CA’s clients",
  "ca-expired": () => "One of its CAs has expired",
  "ca-not-yet-valid": () => "One of its CAs is not valid yet",
  "staple-dropped": () => "Its OCSP staple has expired and is not served",
  // A CRL or staple may expire before its certificate.
  "expires-soon": own => Date.parse(own.notAfter) - Date.now() < MONTH ? `It expires ${relative(own.notAfter)}` : "Its revocation list or OCSP staple expires soon",
};
const MONTH = 30 * 86_400_000;

/** Clients notice these. */
const BAD = { expired: "expired", "not-yet-valid": "not valid", "crl-expired": "CRL expired", "crl-not-yet-valid": "CRL not valid" };

/** Warnings about its dates, as codes, the worst first. */
export function warnings(own) {
  if (!own.served) return [];
  // The agent judges the newest version. If another one is served, only its date is known.
  const isOver = own.kind === "keyPair" && Date.parse(own.notAfter) <= Date.now();
  const codes = new Set([...isOver ? ["expired"] : [], ...own.warnings]);
  return [...codes].sort((a, b) => (b in BAD) - (a in BAD));
}

export const warningText = (own, code) => WORDS[code]?.(own) ?? code;

/** The sign and the word for a certificate's state. */
export function standing(own) {
  if (own.state === "refused") return ["bad", "refused"];
  const [worst] = warnings(own);
  if (worst in BAD) return ["bad", BAD[worst]];
  if (own.state === "pending") return own.served ? ["doubt", "kept"] : ["wait", "missing"];
  if (own.state === "ignored") return ["wait", "ignored"];
  if (worst === "expires-soon") return ["doubt", "expires"];
  return worst ? ["doubt", "doubtful"] : ["good", "ready"];
}

/** If a proxy has not confirmed a certificate for this long, something is wrong. */
const LONG_BEHIND = 30_000;

/** How many certificates a proxy has not confirmed; 0 until it had enough time. */
export function lag(proxy, credentials) {
  const behind = credentials.filter(own => own.proxies.some(held => held.node === proxy.node && held.state === "behind"));
  const since = behind.map(own => Math.max(...[own.lastRotated, proxy.since].map(Date.parse).filter(Number.isFinite)));
  return since.some(time => Number.isFinite(time) && Date.now() - time > LONG_BEHIND) ? behind.length : 0;
}

/** From this percentage on, a budget counts as nearly used up. */
const NEAR_PERCENT = 80;

/** The budgets that are nearly used up, the fullest first. */
export function fullBudgets(budgets) {
  const shares = budgets.map(own => ({ ...own, percent: Math.floor(own.used * 100 / Math.max(1, own.limit)) }));
  return shares.filter(own => own.percent >= NEAR_PERCENT).sort((a, b) => b.percent - a.percent);
}
