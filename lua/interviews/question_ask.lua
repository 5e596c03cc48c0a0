-- The answer at a position is finished and stored: the next question is asked.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 position   10 question, JSON   11 its id   12 its text, JSON   13 progress, JSON   14 score, JSON
--      15 evaluation, JSON   16 turns that are stored
-- Returns { 'ok', … }; { 'past', … } another call was faster; { 'no_answer', … }; { 'more_turns', … } store those
-- first; or a refusal. A session that has ended lets go of the answer.
local first = open(USER, DUPLICATE)
if first then return first end
load()
local refused = unfinished(tonumber(ARGV[9]), tonumber(ARGV[16]))
if refused then return refuse(refused) end
finish()
if FINAL[state] then return done('ended') end
set('pos', pos + 1)
set('asked', ARGV[10])
set('qid', ARGV[11])
set('askt', now)
set('progress', ARGV[13])
set('q:' .. ARGV[11], pos + 1)
tell(CANDIDATE, 'question', ARGV[10])
observed('progress-update', progress_of(ARGV[13], ARGV[14], ARGV[15]))
observed('question-asked', stamped('"questionId":' .. cjson.encode(ARGV[11]) .. ',"text":' .. ARGV[12]))
return done('ok')
