// Where systems disagree: word error rate of each against each other, and how often one stands alone.

import { useState } from "preact/hooks";
import { count, percent } from "./text.js";
import { Bar, Said, languageName } from "./ui.jsx";

export function Systems({ meta }) {
  const { pairs, outliers } = meta.systems;
  const languages = [...new Set(pairs.map((pair) => pair[0]))];
  const [language, setLanguage] = useState("*");
  const mine = (row) => language === "*" || row[0] === language;
  const names = [...new Set([...pairs.flatMap((pair) => [pair[1], pair[2]]), ...outliers.map((row) => row[1])])].sort();
  if (!names.length) return <p>No system has transcribed anything in this corpus.</p>;
  const rate = (reference, other) => {
    const found = pairs.filter((pair) => mine(pair) && pair[1] === reference && pair[2] === other);
    const sum = (at) => found.reduce((all, pair) => all + pair[at], 0);
    return { errors: sum(3), words: sum(4), count: sum(5) };
  };
  const most = Math.max(...names.flatMap((a) => names.map((b) => (a === b ? 0 : ratio(rate(a, b))))), 0.01);
  return (
    <>
      <div class="row">
        <h2>Systems against each other</h2>
        <label>
          Language{" "}
          <select value={language} onChange={(event) => setLanguage(event.currentTarget.value)}>
            <option value="*">all</option>
            {languages.map((code) => (
              <option key={code} value={code}>
                {languageName(code)}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p class="note">
        Word errors (characters where words are not written apart) of the system of a column in the words of the system
        of a row, after normalisation. From the {count(meta.rows)} segments of the sample, each with its weight.
      </p>
      <div class="scroll" role="region" aria-label="Pairwise word error rates" tabIndex={0}>
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">reference</th>
              {names.map((name) => (
                <th key={name} scope="col" class="n">
                  <Said>{name}</Said>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.map((reference) => (
              <tr key={reference}>
                <th scope="row">
                  <Said>{reference}</Said>
                </th>
                {names.map((other) => {
                  if (other === reference) return <td key={other} class="n self" aria-label="itself" />;
                  const found = rate(reference, other);
                  return (
                    <td key={other} class="n heat" style={{ "--heat": found.words ? ratio(found) / most : 0 }} title={`${count(found.count)} utterances`}>
                      {found.count ? percent(found.errors, found.words) : "\u2013"}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <h2>Outliers</h2>
      <p class="note">Share of utterances in which a system is far from all others, which agree. All segments.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">system</th>
            <th scope="col" class="wide">outlier in</th>
            <th scope="col" class="n">share</th>
            <th scope="col" class="n">utterances</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => {
            const found = outliers.filter((row) => mine(row) && row[1] === name);
            const [all, odd] = [2, 3].map((at) => found.reduce((sum, row) => sum + row[at], 0));
            return (
              <tr key={name}>
                <th scope="row">
                  <Said>{name}</Said>
                </th>
                <td class="wide">
                  <Bar total={1} parts={[["rejected", all ? odd / all : 0]]} label={percent(odd, all)} />
                </td>
                <td class="n">{percent(odd, all)}</td>
                <td class="n">{count(all)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

const ratio = (found) => (found.words ? found.errors / found.words : 0);
