/// The public PollProbe, under the path by which the SDK's own tests know it.
#pragma once

#include <kaido/testing/poll_probe.h>
