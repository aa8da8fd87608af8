// Times for people. Dates are in UTC; titles have the full time.

export const day = time => new Date(time).toISOString().slice(0, 10);

/** "in 3 days", "2 hours ago". */
export function relative(time, now = Date.now()) {
  const seconds = (new Date(time) - now) / 1000;
  // Certificate lifetimes are counted in days, as people who renew them do.
  const units = [["year", 31_557_600, 63_115_200], ["month", 2_629_800, 8_640_000], ["day", 86_400], ["hour", 3600], ["minute", 60]];
  const format = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  const [unit, size] = units.find(([, size, from]) => Math.abs(seconds) >= (from ?? size * 1.5)) ?? ["second", 1];
  return format.format(Math.trunc(seconds / size), unit);
}

export function milliseconds(ms) {
  if (ms == null) return "—";
  if (ms < 1) return "< 1 ms";
  return ms < 1000 ? `${Number(ms.toFixed(ms < 10 ? 1 : 0))} ms` : `${Number((ms / 1000).toFixed(1))} s`;
}

