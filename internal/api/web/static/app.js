// What the pages can do more with a script: times in the reader's zone, tables that
// sort, lists that stay fresh, events as they come. Each page is whole without it.
// Captured values are only ever put into text nodes.
"use strict";
(() => {
	const $$ = (what, root = document) => [...root.querySelectorAll(what)];
	const make = (tag, props = {}, ...children) => {
		const e = Object.assign(document.createElement(tag), props);
		e.append(...children);
		return e;
	};
	document.documentElement.classList.add("scripted");

	// Times
	const two = (n) => String(n).padStart(2, "0");
	const day = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
	const clock = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
	const thousandths = (d) => `.${String(d.getMilliseconds()).padStart(3, "0")}`;
	const local = (root) => {
		const today = day(new Date());
		for (const t of $$("[data-at]", root)) {
			const d = new Date(t.dataset.at);
			if (!isNaN(d)) t.textContent = clock(d) + thousandths(d);
		}
		for (const t of $$("time[datetime]", root)) {
			const d = new Date(t.dateTime);
			if (isNaN(d)) continue;
			if (!t.title) t.title = t.textContent;
			t.textContent = (day(d) === today ? "" : day(d) + " ") + clock(d) + (t.className === "ms" ? thousandths(d) : "");
		}
	};

	// Tables: a click on a head sorts by it. Numbers by their value, times by theirs.
	const worth = (cell) => {
		if (!cell) return "";
		if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
		const t = cell.querySelector("time");
		if (t) return Date.parse(t.dateTime);
		const text = cell.textContent.trim();
		const n = Number(text.replaceAll(",", "").replace("−", "-").replace(/^< /, ""));
		return text !== "" && !isNaN(n) ? n : text.toLowerCase();
	};
	const order = (a, b) => {
		if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
		return typeof a === "number" ? 1 : -1; // what is no number comes before numbers
	};
	const sortBy = (table, column, down) => {
		const body = table.tBodies[0];
		const rows = [...body.rows].map((row) => [worth(row.cells[column]), row]);
		rows.sort((a, b) => (down ? order(b[0], a[0]) : order(a[0], b[0])));
		body.append(...rows.map((r) => r[1]));
	};
	const sortable = (root) => {
		for (const table of $$("table.sort", root)) {
			if (!table.tHead || table.dataset.sorts) continue;
			table.dataset.sorts = "1";
			[...table.tHead.rows[0].cells].forEach((th, column) => {
				if ("noSort" in th.dataset) return;
				const button = make("button", { type: "button", className: "by" }, ...th.childNodes);
				th.replaceChildren(button);
				button.addEventListener("click", () => {
					const was = th.getAttribute("aria-sort");
					const down = was ? was === "ascending" : th.classList.contains("n");
					for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
					th.setAttribute("aria-sort", down ? "descending" : "ascending");
					sortBy(table, column, down);
				});
			});
		}
	};
	const resort = (root) => {
		for (const th of $$("th[aria-sort]", root)) sortBy(th.closest("table"), th.cellIndex, th.getAttribute("aria-sort") === "descending");
	};

	const dress = (root) => { local(root); sortable(root); };
	dress(document);

	// Freshness: the page is fetched again, and its live parts are put in place of the
	// old ones. Escaping stays with the server.
	const parser = new DOMParser();
	const refresh = async () => {
		const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
		if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
		const fresh = parser.parseFromString(await answer.text(), "text/html");
		local(fresh);
		for (const old of $$("[data-live]")) {
			const now = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
			if (!now || old.contains(document.activeElement) && document.activeElement !== old) continue;
			const sorted = $$("table.sort", old).map((t) => [...(t.tHead?.rows[0].cells ?? [])].map((th) => th.getAttribute("aria-sort")));
			const at = $$(".scroll", old).map((s) => [s.scrollLeft, s.scrollTop]);
			const own = [old.scrollLeft, old.scrollTop];
			old.replaceChildren(...now.childNodes);
			sortable(old);
			$$("table.sort", old).forEach((t, i) => [...t.tHead.rows[0].cells].forEach((th, k) => { if (sorted[i]?.[k]) th.setAttribute("aria-sort", sorted[i][k]); }));
			resort(old);
			$$(".scroll", old).forEach((s, i) => at[i] && s.scrollTo(...at[i]));
			old.scrollTo(...own);
		}
		for (const what of [".top .state", ".top .now"]) {
			const now = fresh.querySelector(what), old = document.querySelector(what);
			if (now && old) old.replaceWith(now);
		}
		document.dispatchEvent(new CustomEvent("fresh", { detail: fresh }));
	};
	for (const tools of $$("[data-refresh]")) {
		let on = true, busy = false;
		const every = Number(tools.dataset.refresh);
		const note = make("span", { textContent: `Fresh every ${every} s` });
		const button = make("button", { type: "button", className: "small", textContent: "Pause" });
		button.addEventListener("click", () => {
			on = !on;
			button.textContent = on ? "Pause" : "Go on";
			note.textContent = on ? `Fresh every ${every} s` : "Paused";
		});
		tools.append(note, button);
		setInterval(async () => {
			if (!on || busy || document.hidden) return;
			busy = true;
			try {
				await refresh();
				note.textContent = `Fresh every ${every} s`;
			} catch (e) {
				note.textContent = `Not fresh: ${e.message}`;
			}
			busy = false;
		}, every * 1000);
	}

	// Switches: one is saved when it is moved; the button is for readers without a script.
	const types = document.getElementById("types");
	if (types) {
		const said = document.getElementById("types-said");
		types.querySelector("button.main").hidden = true;
		types.addEventListener("change", async (e) => {
			const box = e.target;
			box.disabled = true;
			said.textContent = "";
			try {
				const answer = await fetch(`/events/blst?${encodeURIComponent(box.value)}=${box.checked ? 1 : 0}`, { method: "POST", headers: { Accept: "application/json" } });
				if (!answer.ok) throw new Error((await answer.json()).detail ?? `the server answered ${answer.status}`);
				said.textContent = box.checked ? `${box.value} is held back from now on.` : `${box.value} is sent again.`;
			} catch (err) {
				box.checked = !box.checked;
				said.textContent = `${box.value} was not changed: ${err.message}`;
			}
			box.disabled = false;
			box.focus();
		});
	}

	// Events as they come. A row is made of text nodes; what cannot be seen is shown by its
	// number, as the server does it.
	const visible = (s, n) => {
		const all = [...String(s ?? "")].slice(0, 160).map((c) => {
			const p = c.codePointAt(0);
			if (p < 32 || p === 127) return `\\x${p.toString(16).padStart(2, "0")}`;
			return p > 127 && /[\p{C}\p{Zl}\p{Zp}\ufe00-\ufe0f\u034f\u115f\u1160\u3164\uffa0]|(?![\u00a0])\p{Zs}/u.test(c) ? `\\u${p.toString(16).padStart(4, "0")}` : c;
		}).join("");
		return all.length > n ? `${[...all].slice(0, n - 1).join("")}…` : all;
	};
	const ns = "http://www.w3.org/2000/svg";
	const fates = { sent: ["good", "sent"], blacklisted: ["off", "type off"], rate: ["warn", "over rate"], source: ["warn", "source held"] };
	const badge = (fate) => {
		const [kind, word] = fates[fate] ?? ["off", visible(fate, 20)];
		const svg = document.createElementNS(ns, "svg"), use = document.createElementNS(ns, "use");
		svg.setAttribute("class", `icon ${kind}`);
		svg.setAttribute("aria-hidden", "true");
		use.setAttribute("href", `#i-${kind}`);
		svg.append(use);
		return make("span", { className: `badge ${kind}` }, svg, word);
	};
	const cell = (s, n) => (s ? make("bdi", { textContent: visible(s, n) }) : make("span", { className: "none", textContent: "–" }));
	const eventRow = (e) => {
		const d = new Date(e.time);
		const time = make("time", { dateTime: d.toISOString(), textContent: clock(d), title: d.toISOString() });
		const name = e.call_id && new Blob([e.call_id]).size <= 300 && !/^\.+$|\ufffd/.test(e.call_id) ? e.call_id : e.call;
		const id = name && e.call_id ? make("a", { href: `/calls/${encodeURIComponent(name)}` }, cell(e.call_id, 20)) : cell(e.call_id, 20);
		const cells = [time, visible(e.type, 40), badge(e.fate), cell(e.from, 26), cell(e.to, 26), e.code ? String(Number(e.code)) : "", cell(e.source, 46), id];
		return make("tr", { className: "fresh" }, ...cells.map((c, i) => make("td", { className: i === 5 ? "n" : "" }, c)));
	};
	const mostRows = 200;
	for (const tools of $$("[data-stream]")) {
		const table = document.getElementById("events"), body = table.tBodies[0];
		const note = make("span", { textContent: "Connecting" });
		note.setAttribute("role", "status");
		const button = make("button", { type: "button", className: "small", textContent: "Pause" });
		tools.append(note, button);
		let on = true, waiting = [], missed = 0, planned = false, up = false;
		const say = () => {
			const text = !up ? "Not connected; trying again" : on ? `Live${missed ? `, ${missed} left out` : ""}` : `Paused; ${waiting.length}${waiting.length === mostRows ? " and more" : ""} came`;
			if (note.textContent !== text) note.textContent = text;
		};
		const show = () => {
			planned = false;
			say();
			if (!on || !waiting.length) return;
			document.querySelector(".empty")?.remove();
			body.prepend(...waiting.splice(0).reverse().map(eventRow));
			while (body.rows.length > mostRows) body.lastElementChild.remove();
			resort(table.parentElement);
		};
		const plan = () => { if (!planned) { planned = true; setTimeout(show, 250); } };
		const source = new EventSource(tools.dataset.stream);
		source.addEventListener("open", () => { up = true; plan(); });
		source.addEventListener("error", () => { up = false; plan(); });
		source.addEventListener("event", (m) => {
			waiting.push(JSON.parse(m.data));
			if (waiting.length > mostRows) waiting.shift();
			plan();
		});
		source.addEventListener("left-out", (m) => { missed += JSON.parse(m.data).left_out; plan(); });
		button.addEventListener("click", () => {
			on = !on;
			button.textContent = on ? "Pause" : "Go on";
			plan();
		});
	}

	window.sipcmbeat = { $$, make, local, clock, day };
})();
