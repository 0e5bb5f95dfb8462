// What a long recording amounts to: the share of its speaking time per emotion, and the moments of which the model is
// surest.

// Shorter or fewer than this, one name for the whole says it better.
const LONG_S = 12;
const MANY = 3;
const MAX_MOMENTS = 5;
const MAX_MOMENTS_PER_EMOTION = 2;

const known = new WeakMap();

/** The channels of an answer, each with its own segments and timeline; one track where channels were mixed. */
export function tracksOf(reply) {
  if (!known.has(reply)) known.set(reply, reply.channels.length ? reply.channels.map((one) => trackOf(reply, one)) : [{ ...reply, channel: null }]);
  return known.get(reply);
}

function trackOf({ segments, timeline }, side) {
  const own = timeline.channel.flatMap((channel, row) => (channel === side.channel ? [row] : []));
  const columns = Object.entries(timeline).map(([name, values]) => [name, own.map((row) => values[row])]);
  return { ...side, segments: segments.filter(({ channel }) => channel === side.channel), timeline: Object.fromEntries(columns) };
}

const lengthOf = ({ start_s: start, end_s: end }) => end - start;
const total = (segments) => segments.reduce((sum, segment) => sum + lengthOf(segment), 0);

export const spokenOf = (track) => track.segments.filter(({ emotion }) => emotion);

export function isLong(track) {
  const spoken = spokenOf(track);
  return spoken.length >= MANY && total(spoken) >= LONG_S;
}

/** Speaking time of a track in seconds, and of each emotion: seconds, sure seconds and share, the largest first. */
export function speakingTime(track, labels) {
  const spoken = spokenOf(track);
  const seconds = total(spoken);
  const emotions = labels.map((emotion) => {
    const own = spoken.filter((segment) => segment.emotion === emotion);
    const length = total(own);
    return { emotion, seconds: length, sure: total(own.filter(({ unsure }) => !unsure)), share: seconds ? length / seconds : 0 };
  });
  return { seconds, emotions: emotions.sort((one, other) => other.seconds - one.seconds) };
}

/** The most confident segments, at most two per emotion, in the order of time; neutral ones only where there are no others. */
export function strongestMoments(track) {
  const sure = spokenOf(track).filter(({ unsure }) => !unsure);
  const emotional = sure.filter(({ emotion }) => emotion !== "neutral");
  const counts = new Map();
  return (emotional.length ? emotional : sure)
    .toSorted((one, other) => other.confidence - one.confidence)
    .filter(({ emotion }) => {
      counts.set(emotion, (counts.get(emotion) ?? 0) + 1);
      return counts.get(emotion) <= MAX_MOMENTS_PER_EMOTION;
    })
    .slice(0, MAX_MOMENTS)
    .sort((one, other) => one.start_s - other.start_s);
}
