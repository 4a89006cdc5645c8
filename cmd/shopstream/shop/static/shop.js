// The shop's own script: the cart, the checkout and the consent banner. What
// it tells the tracker, it tells as shops do: by a dataLayer, and by the
// banner's call. Everything else stands in the pages as attributes and JSON-LD.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const element = (name, attributes, ...children) => {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    e.append(...children);
    return e;
  };
  const euro = (cents) => "€ " + (cents / 100).toFixed(2);
  const cents = (price) => Math.round(price * 100);

  const allowed = (f) => {
    try {
      return f();
    } catch {
      return null; // storage is denied: the cart stays empty
    }
  };
  const read = (name) => allowed(() => JSON.parse(sessionStorage.getItem(name) || "null"));
  const write = (name, value) => allowed(() => sessionStorage.setItem(name, JSON.stringify(value)));
  const cart = () => read("cart") || [];
  const total = (lines) => lines.reduce((sum, line) => sum + cents(line.price) * line.quantity, 0);
  const items = (lines) => lines.map(({ id, name, price, quantity }) => ({ item_id: id, item_name: name, price: +price, quantity }));

  const layer = (window.dataLayer = window.dataLayer || []);
  const tell = (event, ecommerce) => layer.push({ event, ecommerce: { currency: "EUR", ...ecommerce } });

  const showCount = () => ($("#count").textContent = cart().reduce((sum, line) => sum + line.quantity, 0));

  function add({ id, name, price }) {
    const lines = cart();
    const line = lines.find((l) => l.id === id);
    if (line) line.quantity++;
    else lines.push({ id, name, price, quantity: 1 });
    write("cart", lines);
    showCount();
  }

  function showCart() {
    const lines = cart();
    $("#lines").replaceChildren(
      ...lines.map((line) => {
        const remove = element("button", { class: "quiet", "data-shopstream-event": "remove_from_cart" }, "Remove");
        remove.addEventListener("click", () => {
          write("cart", cart().filter((l) => l.id !== line.id));
          showCart();
        });
        const attributes = { "data-shopstream-item-id": line.id, "data-shopstream-item-name": line.name, "data-shopstream-price": line.price, "data-shopstream-quantity": line.quantity };
        return element("tr", attributes, element("td", {}, line.name), element("td", {}, `${line.quantity} × € ${line.price}`), element("td", {}, remove));
      }),
    );
    $("#total").textContent = euro(total(lines));
    $("#buy").hidden = !lines.length;
    showCount();
  }

  function showStep() {
    for (const form of document.querySelectorAll("form.step")) form.hidden = !location.pathname.endsWith(form.id);
  }

  function checkout() {
    const value = () => total(cart()) / 100;
    if (location.pathname.endsWith("shipping")) tell("begin_checkout", { value: value(), items: items(cart()) });
    addEventListener("popstate", showStep);
    $("#shipping").addEventListener("submit", (e) => {
      e.preventDefault();
      tell("add_shipping_info", { value: value(), shipping_tier: e.target.tier.value, items: items(cart()) });
      write("shipping", e.target.tier.value === "express" ? 995 : 495);
      history.pushState({}, "", "/checkout/payment");
      showStep();
    });
    $("#payment").addEventListener("submit", (e) => {
      e.preventDefault();
      tell("add_payment_info", { value: value(), payment_type: e.target.type.value, items: items(cart()) });
      const number = "S" + Date.now().toString(36).toUpperCase();
      write("order", { number, lines: cart(), shipping: read("shipping") || 0 });
      write("cart", []);
      location.assign("/thanks"); // at once, as shops do
    });
  }

  function thank() {
    const order = read("order");
    if (!order) return;
    const value = total(order.lines) + order.shipping;
    $("#order").textContent = order.number;
    $("#total").textContent = euro(value);
    tell("purchase", { transaction_id: order.number, value: value / 100, shipping: order.shipping / 100, items: items(order.lines) });
  }

  const banner = $("#consent");
  const granted = document.querySelector("script[data-shop]").dataset.consent;
  banner.hidden = !!granted || allowed(() => Object.keys(localStorage).some((key) => /^shopstream\..*\/consent$/.test(key)));
  for (const button of document.querySelectorAll("[data-consent]")) {
    if (button.tagName !== "BUTTON") continue;
    button.addEventListener("click", () => {
      window.shopstream("consent", button.dataset.consent);
      banner.hidden = true;
    });
  }

  const adding = $("#add");
  if (adding) adding.addEventListener("click", () => add(adding.dataset));
  if ($("#lines")) showCart();
  if ($("#shipping")) checkout();
  if ($("#order")) thank();
  showCount();
})();
