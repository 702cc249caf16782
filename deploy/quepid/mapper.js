// Paste this into "Mapper code" of a search endpoint of Quepid whose search engine is "Search API".
// Quepid looks both functions up in the global scope, so neither is declared.

numberOfResultsMapper = function (data) {
  return data.results.length;
};

docsMapper = function (data) {
  return data.results.map(function (result) {
    // The metadata goes first, so that a key of it never takes the place of the id, by which Quepid keeps ratings.
    return Object.assign({}, result.metadata, {
      id: result.id,
      title: result.metadata.title || result.metadata.source || result.id,
      text: result.text,
      score: result.score,
    });
  });
};
