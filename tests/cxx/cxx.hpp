/* SPDX-License-Identifier: MIT */
/* cxx.hpp - what the C++ tests share: cmocka, which is C, and a deadline for a hanging program. */
#ifndef RQT_CXX_HPP
#define RQT_CXX_HPP

#include <chrono>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <unistd.h>

extern "C" {
#include <cmocka.h>
}

using namespace std::chrono_literals;

/* Long enough for anything that happens, short for what does not. */
constexpr auto soon = 20ms;
constexpr auto ample = 60s;

/* The errno of the std::system_error that @call throws; 0: it does not. */
template <class Call> int error_of(Call call)
{
	try {
		call();
	} catch (const std::system_error &e) {
		assert_ptr_equal(&e.code().category(), &std::generic_category());
		return e.code().value();
	}
	return 0;
}

/* A second thread that @fn runs in, from here to the end of the scope. */
class other_thread
{
      public:
	template <class Fn> explicit other_thread(Fn fn) : thread_(fn)
	{
	}
	other_thread(const other_thread &) = delete;
	other_thread &operator=(const other_thread &) = delete;
	~other_thread()
	{
		thread_.join();
	}

      private:
	std::thread thread_;
};

/* main() of a test program: RQT_FILTER=pattern runs the cases whose name matches. */
inline void begin_tests()
{
	if (const char *pattern = std::getenv("RQT_FILTER"))
		cmocka_set_test_filter(pattern);
	alarm(120);
}

#endif /* RQT_CXX_HPP */
