-- Shared: an answer is finished. Needs interviews/lib/session.

-- How many final turns the open question has.
local function turn_count()
  local f = call('HMGET', SESSION, 'tf', 'tn', 'tx')
  return (tonumber(f[3]) or tonumber(f[2] or 0) + 1) - tonumber(f[1] or 1)
end

-- What stands in the way of finishing the answer at a position, of which so many turns are stored.
local function unfinished(from, stored)
  if not state then return 'missing' end
  if pos ~= from then return 'past' end
  if not answering then return FINAL[state] and 'ended' or 'no_answer' end
  if turn_count() > stored then return 'more_turns' end
end

-- The answer is the one before now; its turns and its audio are dropped. What was said since belongs to the next question.
local function finish()
  local f = call('HMGET', SESSION, 'at', 'au', 'cut', 'tf', 'tn', 'tx', 'heard', 'an')
  if answering then
    set('lq', answering)
    set('lt', f[1] or '')
    set('lu', f[2] or '')
  end
  for _, field in ipairs({ 'aq', 'at', 'au', 'aa', 'cut', 'tx', 'an' }) do remove(field) end
  set('am', f[8] or 0)
  local tf, tn = tonumber(f[4] or 1), tonumber(f[5] or 0)
  local stop = f[6] and tonumber(f[6]) or tn + 1
  for n = tf, stop - 1 do remove('t:' .. n) end
  set('tf', stop)
  local cut = f[3] or '0-0'
  set('from', cut)
  if older(f[7] or '0-0', cut) then set('heard', cut) end
  local ms, seq = string.match(cut, '^(%d+)-(%d+)$')
  if cut ~= '0-0' then call('XTRIM', AUDIO, 'MINID', ms .. '-' .. (seq + 1)) end
  answering = nil
end

-- Fields of a JSON object: what those who observe hear of an answer.
local function progress_of(progress, score, evaluation)
  return stamped('"progress":' .. progress .. ',"score":' .. score .. ',"evaluation":' .. evaluation)
end
