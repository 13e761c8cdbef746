"use strict";
(() => {
	const root = document.documentElement;
	const table = document.getElementById("steps");
	const rows = Array.from(table.querySelectorAll("tr[data-step]"));
	const heads = Array.from(table.querySelectorAll("thead th"));
	const panel = document.getElementById("now");
	const cursors = Array.from(document.querySelectorAll(".cursor"));
	let here = 0;

	const make = (tag, name, text) => {
		const element = document.createElement(tag);
		if (name)
			element.className = name;
		if (text !== undefined)
			element.textContent = text;
		return element;
	};
	const button = (text, title, act) => {
		const element = make("button", "", text);
		element.type = "button";
		element.title = title;
		element.addEventListener("click", act);
		return element;
	};

	const bar = make("div", "buttons");
	const place = make("b");
	const state = make("div");
	panel.append(bar, state);
	bar.append(
		button("\u00ab", "Home", () => show(0)),
		button("\u2039", "arrow left", () => show(here - 1)),
		button("\u203a", "arrow right", () => show(here + 1)),
		button("\u00bb", "End", () => show(rows.length - 1)),
		button("points", "p: all points, or only what changes something",
		       () => table.classList.toggle("brief")),
		place);

	/* What the row says of each task, each word, and who has what. */
	const describe = (row, before) => {
		const fresh = document.createDocumentFragment();
		const words = make("table");

		row.querySelectorAll("td.task").forEach((cell, i) => {
			const card = make("div", "card t" + i);
			const prio = cell.dataset.prio;
			const own = cell.dataset.own;

			card.append(make("b", "t" + i, heads[i + 1].dataset.name), " ",
				    make("span", prio === own ? "dim" : "boosted",
					 prio === own ? prio : "runs as " + prio + ", own " + own),
				    make("div", "now", cell.dataset.now));
			fresh.append(card);
		});
		row.querySelectorAll("td.value").forEach((cell, i) => {
			const line = make("tr");
			const old = before && before.querySelectorAll("td.value")[i].textContent;
			const isNew = before && old !== cell.textContent;

			line.append(make("td", "", cell.dataset.word),
				    make("td", isNew ? "new" : "", cell.textContent));
			words.append(line);
		});
		fresh.append(words);
		row.querySelectorAll("td.rt div").forEach((cell) => {
			fresh.append(make("div", "now", cell.textContent));
		});
		for (let next = row.nextElementSibling; next && !next.dataset.step;
		     next = next.nextElementSibling)
			fresh.append(make("p", "wrong", next.textContent));
		state.replaceChildren(fresh);
	};

	const show = (step, jump) => {
		rows[here].classList.remove("here");
		here = Math.max(0, Math.min(rows.length - 1, step));
		rows[here].classList.add("here");
		describe(rows[here], rows[here - 1]);
		place.textContent = "step " + here + " of " + (rows.length - 1);
		cursors.forEach((cursor) => cursor.setAttribute("x", 10 * here));
		root.dataset.step = here;
		if (jump !== false)
			rows[here].scrollIntoView({ block: "nearest" });
	};

	const visible = (from, by) => {
		let at = from + by;

		while (table.classList.contains("brief") && rows[at] &&
		       rows[at].classList.contains("quiet"))
			at += by;
		return rows[at] ? at : from;
	};
	const keys = {
		ArrowRight: () => visible(here, 1), j: () => visible(here, 1),
		ArrowLeft: () => visible(here, -1), k: () => visible(here, -1),
		ArrowDown: () => visible(here, 1), ArrowUp: () => visible(here, -1),
		PageDown: () => here + 10, PageUp: () => here - 10,
		Home: () => 0, End: () => rows.length - 1,
	};
	document.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.altKey || event.metaKey)
			return;
		if (event.key === "p")
			table.classList.toggle("brief");
		else if (keys[event.key])
			show(keys[event.key]());
		else
			return;
		event.preventDefault();
	});
	rows.forEach((row, i) => row.addEventListener("click", () => show(i, false)));
	document.querySelectorAll(".lane svg").forEach((lane) => {
		lane.addEventListener("click", (event) => {
			const box = lane.getBoundingClientRect();
			show(Math.floor((event.clientX - box.left) / box.width * rows.length));
		});
	});

	const wanted = /^#step-(\d+)$/.exec(location.hash);
	panel.hidden = false;
	root.dataset.steps = rows.length - 1;
	root.dataset.ready = "1";
	show(wanted ? Number(wanted[1]) : 0, Boolean(wanted));
})();
