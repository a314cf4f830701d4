-- Put an entry aside, if it is still the one that was found damaged.
-- KEYS: meta hash quarantine sizes   ARGV: run shift key entry size
if restarted() then return 'RESTARTED' end
if call('HGET', KEYS[2], ARGV[3]) ~= ARGV[4] then return 0 end
call('HDEL', KEYS[2], ARGV[3])
call('HSET', KEYS[3], ARGV[3], ARGV[4])
if ARGV[5] ~= '0' then call('HINCRBY', KEYS[4], 'bytes', '-' .. ARGV[5]) end
return 1
