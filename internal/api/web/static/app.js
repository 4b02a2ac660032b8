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
	const local = (root) => {
		const today = day(new Date());
		for (const t of $$("[data-at]", root)) {
			const d = new Date(t.dataset.at);
			if (!isNaN(d)) t.textContent = `${clock(d)}.${String(d.getMilliseconds()).padStart(3, "0")}`;
		}
		for (const t of $$("time[datetime]", root)) {
			const d = new Date(t.dateTime);
			if (isNaN(d)) continue;
			if (!t.title) t.title = t.textContent;
			t.textContent = (day(d) === today ? "" : day(d) + " ") + clock(d);
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

	window.sipcmbeat = { $$, make, local, clock, day };
})();
