// SPDX-License-Identifier: MIT
#include <chrono>
#include <iostream>
#include <rqpi/condition_variable.hpp>
#include <thread>

int main()
{
	rqpi::mutex lock;
	rqpi::condition_variable more;
	bool ready = false;
	std::thread other([&] {
		std::scoped_lock held(lock);
		ready = true;
		more.notify_one();
	});
	std::unique_lock held(lock);
	bool got = more.wait_for(held, std::chrono::seconds(20), [&] { return ready; });

	held.unlock();
	other.join();
	std::cout << "rqpi " << rqpi_version() << '\n';
	return got ? 0 : 1;
}
