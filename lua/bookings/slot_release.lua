-- Gives a slot back.
-- KEYS 1 {interviews}:active   2 {interviews}:user
-- ARGV 1 id   2 only if the slot ends then (ms; '' in any case)
-- Returns { removed }
-- Safe to repeat by itself.
local removed = remove_if(ACTIVE, ARGV[1], ARGV[2])
remove_if(KEYS[2], ARGV[1], ARGV[2])
return { removed }
