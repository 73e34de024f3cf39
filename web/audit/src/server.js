// Asks the server of the page, where there is one (`curation audit serve`).

// Throws an error that says what is wrong.
export async function ask(name, body) {
  let response;
  try {
    response = await fetch(name, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer: it may have been ended.");
  }
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(found.error ?? `The server answers ${response.status}.`);
  return found;
}
