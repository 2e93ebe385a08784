/* Liveness that HTML has no words for: cursor, clocks, following text, copying, title and keys. */
(() => {
  "use strict";
  const page = document;
  const find = (selector) => page.querySelector(selector);
  const all = (selector) => [...page.querySelectorAll(selector)];
  // The server's clock minus ours, so that running seconds are right on any machine.
  const skew = Number(page.body.dataset.now) - Date.now() / 1000;
  const title = page.title;
  let follow = true;

  // A connection may be dead without an end: a laptop slept, a router forgot it. The server sends
  // something every 10 s, so one that says nothing is given up and made anew.
  const FIRST_FRAME_MS = 12000;
  const SILENCE_MS = 25000;
  let connection = null;
  let deadline = 0;

  function watch() {
    const live = find("#live");
    if (!live || !connection?.socket || page.hidden) return;
    if (connection.socket.readyState === WebSocket.CLOSED) {
      deadline = Date.now() + FIRST_FRAME_MS;  // hx-ws tries again in its own time
      return;
    }
    if (Date.now() < deadline) return;
    // A dead peer does not answer a goodbye, so nobody waits for it: a new element connects.
    connection.socket.close();
    const anew = live.cloneNode();
    anew.removeAttribute("data-htmx-powered");
    live.replaceWith(anew);
    htmx.process(anew);
  }

  page.addEventListener("htmx:ws:after:message:incoming", () => {
    deadline = Date.now() + SILENCE_MS;
  });

  // Each connection, the first and every retry, says which event the page has seen.
  page.addEventListener("htmx:ws:before:connection", (event) => {
    connection = event.detail.connection;
    deadline = Date.now() + FIRST_FRAME_MS;
    const url = new URL(connection.url);
    const cursor = find("#cursor");
    if (cursor) url.searchParams.set("after", cursor.value);
    connection.url = url.href;
  });

  function tick() {
    for (const clock of all(".tick[data-since]")) {
      const seconds = Math.max(0, Date.now() / 1000 + skew - Number(clock.dataset.since));
      clock.dataset.elapsed = `${seconds.toFixed(0)} s`;
    }
  }

  function tail() {
    if (!follow) return;
    for (const pane of all("[data-tail]")) pane.scrollTop = pane.scrollHeight;
  }

  const marks = {running: "◐", passed: "✓", unconfirmed: "?", failed: "✗", error: "!", cancelled: "■"};
  function dress() {
    const banner = find("#banner");
    if (!banner) return;
    const kind = banner.dataset.kind;
    const wanted = `${marks[kind]} ${title}`;
    if (page.title === wanted) return;
    page.title = wanted;
    const icon = find("#favicon");
    icon.href = icon.href.replace(/[a-z]+\.svg$/, `${kind}.svg`);
  }

  function refresh() {
    tick();
    tail();
    dress();
  }

  // Somebody who scrolls up in the growing text wants to read there.
  page.addEventListener("scroll", (event) => {
    const pane = event.target;
    if (!pane.matches?.("[data-tail]")) return;
    follow = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 24;
  }, true);

  async function copy(button) {
    const text = find(button.dataset.copy)?.textContent ?? "";
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text.trimEnd() + "\n");
      button.textContent = "Copied";
    } catch {
      button.textContent = "Can't copy here";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  }

  page.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
  });

  // Before a long upload ends in a refusal.
  page.addEventListener("change", ({target}) => {
    if (!target.dataset?.limit) return;
    const bytes = [...target.files].reduce((sum, file) => sum + file.size, 0);
    const most = (target.dataset.limit / 1048576).toFixed(1);
    const fault = `Together these are ${(bytes / 1048576).toFixed(1)} MiB; at most ${most} MiB can be sent.`;
    target.setCustomValidity(bytes > Number(target.dataset.limit) ? fault : "");
    target.reportValidity();
  });

  function step(by) {
    const parts = all("#run .region > .card, #run .region > .rail").filter((part) => part.offsetParent);
    const at = parts.findIndex((part) => part.contains(page.activeElement));
    const next = parts[Math.min(Math.max(at + by, 0), parts.length - 1)];
    show(next);
  }

  function show(part) {
    if (!part) return;
    part.tabIndex = -1;
    part.focus({preventScroll: true});
    part.scrollIntoView({block: "start"});
  }

  const keys = {
    j: () => step(1),
    k: () => step(-1),
    e: () => show(find("#run .attempt") ?? find("#run .bad")),
    f: () => { follow = !follow; tail(); },
    c: () => { const button = find("[data-copy='#code']"); if (button) copy(button); },
  };

  page.addEventListener("keydown", (event) => {
    const field = event.target.closest?.("input, textarea, select");
    if (field?.form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      field.form.requestSubmit();
      return;
    }
    if (field || event.ctrlKey || event.metaKey || event.altKey || !find("#run")) return;
    keys[event.key]?.();
  });

  // An answer takes its question away, and with it the keyboard's place on the page.
  let answered = null;
  page.addEventListener("submit", ({target}) => {
    answered = target.closest("#questions") && {form: target, typed: find("#new-test")?.value};
  });
  page.addEventListener("htmx:after:swap", ({detail}) => {
    if (!answered) return;
    const {form, typed} = answered;
    const own = detail.ctx?.sourceElement === form;
    if (own && form.id === "add-test") settle(find("#new-test"), typed);
    requestAnimationFrame(() => {
      // A frame may take the question away before the answer to our own request is here.
      const at = page.activeElement;
      const lost = at === page.body || !at.checkVisibility();
      if (answered && lost) find("#questions")?.focus({preventScroll: true});
      if (own || lost) answered = null;
    });
  });

  // A test that was taken goes from its field, unless another is being typed there already. One that
  // was refused stays: as the user's own text, which no later frame puts back to the server's.
  function settle(field, typed) {
    if (!field) return;
    const taken = !find("#problem-new-test");
    const text = taken && field.value === typed ? "" : field.value;
    field.defaultValue = "";
    field.value = text;
  }

  page.addEventListener("htmx:after:swap", refresh);
  page.addEventListener("htmx:ws:after:message:incoming", refresh);
  setInterval(tick, 1000);
  setInterval(watch, 1000);
  refresh();
})();
