# make run    the hub on this machine: three nodes, a balancer, a page to look at
# make test   every test
.PHONY: run test bench lint setup

run:
	@scripts/run.sh

test: setup
	@scripts/test.sh

bench: setup
	@cargo bench

lint: setup
	@scripts/lint.sh

setup:
	@scripts/setup.sh test
