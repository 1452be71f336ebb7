"use strict";
// What operators arranged at the monitor, in words: silences, and who stands in on duty.
globalThis.moment = (text, zone) => {
  const options = { timeZone: zone, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(text)).replace(",", "");
};
globalThis.silenced = (silence) => {
  const { side, promise, pool, owner } = silence;
  const what = [side, promise?.replaceAll("_", " ") ?? "every promise"];
  return printable([...what, pool && `in pool ${pool}`, owner && `of ${owner}`].filter(Boolean).join(" "));
};
globalThis.silenceText = (silence, zone) =>
  printable(`${silenced(silence)}, until ${moment(silence.ends_at, zone)}: ${silence.reason} (${silence.by})`);
// The override that counts now: the last one made.
globalThis.standingIn = (duty) =>
  duty.overrides.findLast((one) => one.person === duty.person && new Date(one.starts_at) <= new Date());
