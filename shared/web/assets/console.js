// The console: signs in with the ticket of the address, then asks the API what changed: each second while something
// does, and less and less often while nothing does.
// Everything that comes from the API is written as text, never as markup.
"use strict";

const one = (id) => document.getElementById(id);
const session = { token: sessionStorage.getItem("token"), integration: sessionStorage.getItem("integration") };
const view = { integrations: [], state: null, limit: 50, open: null };
const known = new Map(); // path -> { tag, body }
const EVERY = 1000;
const SELDOM = 15000;
const PATIENCE = 5000;
let timer = null;
let round = 0;
let quiet = EVERY;

class SignedOut extends Error {}

/** The answer to a GET, and whether it differs from the last one. */
async function ask(path) {
  const last = known.get(path);
  const headers = { Authorization: `Bearer ${session.token}` };
  if (last?.tag) headers["If-None-Match"] = last.tag;
  const answer = await fetch(path, { headers });
  if (answer.status === 304) return { body: last.body, changed: false };
  const body = await answer.json().catch(() => ({}));
  if (answer.status === 401) throw new SignedOut();
  if (!answer.ok) throw new Error(body.detail ?? `The server answered ${answer.status}.`);
  known.set(path, { tag: answer.headers.get("ETag"), body });
  return { body, changed: true };
}

/** An element with text or children. */
function made(name, options = {}, ...children) {
  const element = document.createElement(name);
  if (options.class) element.className = options.class;
  if (options.title) element.title = options.title;
  element.append(...children);
  return element;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const number = new Intl.NumberFormat();

function since(text) {
  const moment = new Date(text);
  const element = made("time", { title: clock.format(moment) }, relative(moment));
  element.dateTime = text;
  return element;
}

function relative(moment) {
  const seconds = Math.round((moment - Date.now()) / 1000);
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const step = steps.find(([, length]) => Math.abs(seconds) >= length);
  return step ? ago.format(Math.trunc(seconds / step[1]), step[0]) : "just now";
}

const labels = new Map(
  [...document.querySelectorAll("#states [data-state]")].map((row) => [
    row.dataset.state,
    row.querySelector(".label").textContent,
  ]),
);

/** A word of the API as a person would write it. */
const spoken = (word) => (word.charAt(0).toUpperCase() + word.slice(1)).replaceAll("_", " ");

function stateMark(enrollment) {
  const kind = enrollment.needs_a_person ? "state attention" : enrollment.state === "imported" ? "state done" : "state";
  return made("span", { class: kind }, labels.get(enrollment.state) ?? spoken(enrollment.state));
}

// Signing in and out

async function signIn() {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (ticket) {
    // A ticket must not stay in the address bar, where a screenshot or the history would show it.
    history.replaceState(null, "", location.pathname);
    const answer = await fetch("/sign-in", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ticket }),
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) return showSignIn(body.detail ?? "The link could not be used.");
    keepToken(body.token);
  }
  if (session.token) begin();
  else showSignIn("");
}

function keepToken(token) {
  session.token = token;
  sessionStorage.setItem("token", token);
}

function showSignIn(reason) {
  clearTimeout(timer);
  round += 1;
  session.token = null;
  sessionStorage.removeItem("token");
  known.clear();
  one("detail").close();
  for (const id of ["console", "chooser", "sign-out", "trouble"]) one(id).hidden = true;
  one("connection").textContent = "";
  one("sign-in-reason").textContent = reason;
  one("sign-in").hidden = false;
}

function begin() {
  one("sign-in").hidden = true;
  one("sign-out").hidden = false;
  again();
}

async function signOut() {
  await fetch("/api/session", { method: "DELETE", headers: { Authorization: `Bearer ${session.token}` } }).catch(() => {});
  showSignIn("You are signed out.");
}

// Looking

/** Looks now, and then again and again; of two rounds at once, only the newer one goes on. */
async function again() {
  clearTimeout(timer);
  const mine = ++round;
  let pause = PATIENCE;
  try {
    const changed = await look();
    quiet = changed ? EVERY : Math.min(quiet * 1.5, SELDOM);
    pause = quiet;
    if (mine === round) one("trouble").hidden = true;
  } catch (problem) {
    if (mine !== round) return;
    if (problem instanceof SignedOut) return showSignIn("The session is over. Ask for a new link.");
    const offline = problem instanceof TypeError;
    one("trouble").textContent = offline ? "The server cannot be reached. Trying again…" : problem.message;
    one("trouble").hidden = false;
  }
  if (mine === round && !document.hidden) timer = setTimeout(again, pause);
}

async function look() {
  const { body: integrations } = await ask("/api/integrations?limit=200");
  view.integrations = integrations.items;
  const chosen = integrations.items.find((row) => row.id === session.integration) ?? integrations.items[0];
  showIntegrations(chosen);
  if (!chosen) return false;
  session.integration = chosen.id;
  sessionStorage.setItem("integration", chosen.id);
  const at = `/api/integrations/${chosen.id}`;
  const state = view.state ? `&state=${view.state}` : "";
  const [counts, enrollments, progress] = await Promise.all([
    ask(`${at}/counts`),
    ask(`${at}/enrollments?limit=${view.limit}${state}`),
    ask(`${at}/people/import`),
  ]);
  showCounts(counts.body);
  showEnrollments(enrollments.body);
  showImport(progress.body);
  if (view.open && (enrollments.changed || !view.open.shown)) await showDetail(at);
  return counts.changed || enrollments.changed || progress.changed;
}

function showIntegrations(chosen) {
  const choose = one("integration");
  const ids = view.integrations.map((row) => row.id).join();
  if (choose.dataset.ids !== ids) {
    choose.dataset.ids = ids;
    choose.replaceChildren(...view.integrations.map((row) => new Option(row.settings.name, row.id)));
  }
  one("chooser").hidden = view.integrations.length < 2;
  one("console").hidden = !chosen;
  if (!chosen) {
    one("connection").textContent = "No organisation is connected yet. Create an integration with the API.";
    return;
  }
  choose.value = chosen.id;
  one("name").textContent = chosen.settings.name;
  document.title = `${chosen.settings.name} · intune-smime`;
  const connected = chosen.connected
    ? `Connected by ${chosen.connected.name}, ${relative(new Date(chosen.connected.at))}`
    : "Not connected: press Authorize first";
  one("connection").textContent = chosen.settings.stop_buying ? `${connected} · buying is stopped` : connected;
}

const MOVING = ["requested", "buying", "bought", "validating", "issued", "importing"];

function showCounts(counts) {
  const most = Math.max(1, ...counts.states.map((row) => row.count));
  const of = (state) => counts.states.find((row) => row.state === state)?.count ?? 0;
  for (const row of counts.states) {
    const item = document.querySelector(`#states [data-state="${row.state}"]`);
    if (!item) continue;
    item.classList.toggle("none", row.count === 0);
    item.querySelector(".count").textContent = number.format(row.count);
    item.querySelector(".bar span").style.setProperty("--share", row.count / most);
    item.querySelector("button").setAttribute("aria-pressed", String(view.state === row.state));
  }
  const moving = MOVING.reduce((sum, state) => sum + of(state), 0);
  one("in-intune").textContent = number.format(of("imported"));
  one("under-way").textContent = number.format(moving);
  one("need-you").textContent = number.format(counts.need_a_person);
  one("need-you").parentElement.classList.toggle("attention", counts.need_a_person > 0);
  const summary = `${of("imported")} in Intune, ${moving} under way, ${counts.need_a_person} need you.`;
  // Read aloud by screen readers when it changes, so it is left alone when it does not.
  if (one("summary").textContent !== summary) one("summary").textContent = summary;
}

function showImport(progress) {
  one("people").textContent = number.format(progress.seen);
  const line = progress.problem
    ? `The import stopped: ${progress.problem}`
    : progress.running
      ? "The directory is being imported…"
      : progress.finished_at
        ? `Directory imported ${relative(new Date(progress.finished_at))}; ${number.format(progress.left)} people have left it.`
        : "The directory was not imported yet.";
  one("import").textContent = line;
}

function showEnrollments(list) {
  const body = one("enrollments").tBodies[0];
  const before = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  const rows = list.items.map((enrollment) => {
    const row = before.get(enrollment.id);
    const version = `${enrollment.changed_at} ${enrollment.state} ${enrollment.note} ${enrollment.says}`;
    if (row && row.dataset.version === version) {
      const time = row.querySelector("time");
      time.textContent = relative(new Date(time.dateTime));
      return row;
    }
    return enrollmentRow(enrollment, version, row);
  });
  const same = rows.length === body.rows.length && rows.every((row, place) => body.rows[place] === row);
  if (!same) body.replaceChildren(...rows);
  one("empty").hidden = rows.length > 0;
  one("enrollments").hidden = rows.length === 0;
  one("more").hidden = !list.next || view.limit >= 200;
  one("filtered").textContent = view.state ? `Only: ${labels.get(view.state)}.` : "Newest first.";
}

/** What the mark of the state does not say already. */
function note(enrollment) {
  const says = enrollment.state === "imported" ? "" : enrollment.says;
  return [says, enrollment.note].filter(Boolean).join(" ");
}

/** The row anew; where there was one, its button keeps the focus of the keyboard. */
function enrollmentRow(enrollment, version, old) {
  const row = old ?? document.createElement("tr");
  row.dataset.id = enrollment.id;
  row.dataset.version = version;
  const button = old?.querySelector("button") ?? made("button");
  button.type = "button";
  button.textContent = enrollment.name ?? enrollment.mailbox;
  const person = made("td", {}, button);
  if (enrollment.name) person.append(made("span", { class: "second" }, enrollment.mailbox));
  const focused = document.activeElement === button;
  row.replaceChildren(
    person,
    made("td", {}, enrollment.purpose_label),
    made("td", {}, stateMark(enrollment)),
    made("td", { class: "note" }, note(enrollment)),
    made("td", {}, since(enrollment.changed_at)),
  );
  if (focused) button.focus();
  return row;
}

// One enrollment

async function showDetail(at) {
  const open = view.open;
  const path = `${at}/enrollments/${open.id}`;
  const [{ body: enrollment }, { body: timeline }] = await Promise.all([ask(path), ask(`${path}/timeline?limit=200`)]);
  if (view.open !== open) return;
  open.shown = true;
  one("detail-title").textContent = enrollment.name ?? enrollment.mailbox;
  one("detail-says").replaceChildren(stateMark(enrollment), ` ${enrollment.says}`);
  const certificate = enrollment.certificate;
  const facts = [
    ["What to do", enrollment.next_step],
    ["Note", enrollment.note],
    ["Mailbox", enrollment.mailbox],
    ["Purpose", enrollment.purpose_label],
    ["Price", enrollment.product.price.text],
    ["Order", enrollment.order?.reference],
    ["Candidates", enrollment.candidates?.join(", ")],
    ["Paid besides", enrollment.surplus_orders?.join(", ")],
    ["Valid until", certificate && clock.format(new Date(certificate.not_after))],
    ["Thumbprint", certificate?.thumbprint],
    ["Serial", certificate?.serial],
    ["Remarks", certificate?.notes.join("; ")],
    ["Private key", spoken(enrollment.key)],
    ["Looked at next", enrollment.due_at && clock.format(new Date(enrollment.due_at))],
  ];
  const given = facts.filter(([, value]) => value);
  one("detail-facts").replaceChildren(...given.flatMap(([name, value]) => [made("dt", {}, name), made("dd", {}, value)]));
  const happened = timeline.items.map(timelineRow);
  one("timeline").replaceChildren(...(happened.length > 0 ? happened : [made("li", {}, "Nothing yet.")]));
  if (!one("detail").open) one("detail").showModal();
}

function timelineRow(entry) {
  const by = entry.by_operator ? `by ${entry.by}` : entry.by;
  const row = made("li", {}, spoken(entry.event));
  if (entry.detail) row.append(`: ${entry.detail}`);
  const requests = entry.request_ids.length > 0 ? ` · request ${entry.request_ids.join(", ")}` : "";
  row.append(made("span", { class: "second" }, `${clock.format(new Date(entry.at))} · ${by}${requests}`));
  return row;
}

// What a person presses

one("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(one("token").value.trim());
  one("token").value = "";
  begin();
});
one("sign-out").addEventListener("click", signOut);
one("close").addEventListener("click", () => one("detail").close());
one("detail").addEventListener("close", () => { view.open = null; });
one("more").addEventListener("click", () => { view.limit = 200; again(); });
one("integration").addEventListener("change", (event) => {
  session.integration = event.target.value;
  view.state = null;
  again();
});
one("states").addEventListener("click", (event) => {
  const state = event.target.closest("[data-state]")?.dataset.state;
  if (!state) return;
  view.state = view.state === state ? null : state;
  again();
});
one("enrollments").addEventListener("click", (event) => {
  const id = event.target.closest("button") && event.target.closest("tr")?.dataset.id;
  if (!id) return;
  view.open = { id, shown: false };
  again();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && session.token) again();
});
addEventListener("hashchange", signIn);
signIn().catch(() => showSignIn("The server cannot be reached. Load the page again."));
