// The event log: what the tracker keeps in the device's storage, as it comes
// and goes. An event is there under e.ID until the collector has acknowledged
// it, and under b.ID stands the batch in which it was sent (the tracker's queue.ts).
// It loads before the tracker and only looks on.
"use strict";
(() => {
  const { parse, stringify } = JSON;
  const LOG = "event-log"; // in the tab's own storage
  const key = /^shopstream\.[^/]*\/(e|b)\.(.*)$/;
  const states = { queued: "queued", sent: "sent", acknowledged: "acknowledged", dropped: "dropped" };
  let rows = new Map();
  let open = false;
  let device;
  let mine;
  try {
    device = localStorage;
    mine = sessionStorage;
    rows = new Map(parse(mine.getItem(LOG) || "[]"));
  } catch {
    device = undefined; // denied: there is nothing to see
  }

  function note(name, text) {
    const [, kind, id] = key.exec(name) || [];
    if (!kind) return;
    if (kind === "b") {
      for (const event of (text || "").split(" ").slice(1)) if (rows.get(event)?.state === states.queued) rows.get(event).state = states.sent;
    } else if (text) {
      const event = parse(text);
      if (!rows.has(id)) rows.set(id, { type: event.type, about: about(event), at: event.client_ts, state: states.queued });
    } else if (rows.has(id)) {
      const row = rows.get(id);
      row.state = row.state === states.sent ? states.acknowledged : states.dropped;
    }
    keep();
  }

  const about = ({ search, list, items, order, promotion, checkout, consent, page, custom }) =>
    (search && `“${search.search_term}”`) || (order && `${order.transaction_id}, ${order.currency} ${order.value}`) || (checkout && `step ${checkout.step} ${checkout.option || ""}`) ||
    (items && items[0].item_name) || (list && list.item_list_name) || (promotion && promotion.promotion_name) || (consent && consent.state) || (custom && stringify(custom)) || new URL(page.url).pathname;

  let waiting = false;
  function keep() {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      rows = new Map([...rows].slice(-100));
      put.call(mine, LOG, stringify([...rows]));
      if (open) show();
    });
  }

  const put = Storage.prototype.setItem;
  const remove = Storage.prototype.removeItem;
  if (device) {
    Storage.prototype.setItem = function (name, text) {
      put.call(this, name, text);
      if (this === device) note(name, text);
    };
    Storage.prototype.removeItem = function (name) {
      remove.call(this, name);
      if (this === device) note(name);
    };
    addEventListener("storage", (e) => e.storageArea === device && e.key && note(e.key, e.newValue));
  }
  addEventListener("shopstream:error", (e) => console.warn("shopstream", e.detail.code, e.detail.message));

  const element = (name, className, text) => {
    const e = document.createElement(name);
    e.className = className;
    e.textContent = text;
    return e;
  };

  function show() {
    const count = (state) => [...rows.values()].filter((row) => row.state === state).length;
    const counts = Object.values(states).map((state) => element("span", state, `${count(state)} ${state}`));
    const list = [...rows.values()].reverse().map((row) => {
      const line = element("li", row.state, "");
      line.append(element("time", "", row.at.slice(11, 19)), element("b", "", row.type), element("i", "", row.state), element("span", "", row.about));
      return line;
    });
    const head = element("div", "counts", "");
    head.append(...counts);
    const lines = element("ol", "", "");
    lines.append(...list);
    const hint = element("p", "", device ? "Before the shopper decides, events wait in the page's memory alone, and don't show here." : "Storage is denied: events wait in the page's memory, and don't show here.");
    document.getElementById("panel").replaceChildren(element("h2", "", "Event log"), head, lines, hint);
  }

  addEventListener("DOMContentLoaded", () => {
    open = true;
    show();
  });
})();
